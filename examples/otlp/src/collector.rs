//! A collector that keeps the spans that it receives: HTTP with protobuf, as OpenTelemetry's
//! collector takes them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// A collector that listens on the loopback interface.
pub struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    /// Starts to listen, in a thread that ends with the program.
    ///
    /// # Errors
    ///
    /// Fails if there is no port.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let collector = Self { address: listener.local_addr()?, spans: Arc::default() };
        let spans = collector.spans.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let spans = spans.clone();
                thread::spawn(move || serve(connection, &spans));
            }
        });
        Ok(collector)
    }

    /// Returns the URL to which spans are sent.
    pub fn endpoint(&self) -> String {
        format!("http://{}/v1/traces", self.address)
    }

    /// Returns what was received so far.
    pub fn received(&self) -> Received {
        Received(self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Answers the requests of one connection.
fn serve(connection: TcpStream, spans: &Mutex<Vec<Span>>) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some(body) = read_request(&mut reader)? {
        let request = ExportTraceServiceRequest::decode(&*body).map_err(io::Error::other)?;
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        let received = scopes.flat_map(|scope| scope.spans);
        spans.lock().unwrap_or_else(PoisonError::into_inner).extend(received);
        // An empty message is an answer without complaints.
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        reader.get_mut().write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// Reads a request for traces. Returns its body, or `None` at the end of the connection.
fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    if !line.starts_with("POST /v1/traces ") {
        return Err(io::Error::other(line));
    }
    let mut length = 0;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            return Ok(Some(body));
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
}

/// The spans that were received.
#[derive(Debug)]
pub struct Received(Vec<Span>);

impl Received {
    /// Checks that each span of an order is linked to the one before, and has no parent.
    ///
    /// # Panics
    ///
    /// Panics if a span or a link is missing.
    #[track_caller]
    pub fn assert_linked(&self) {
        let order = [
            self.find("buy", "", ""),
            self.find("handle", "actor", "Shop"),
            self.find("handle", "actor", "Packer"),
            self.find("job", "pool", "invoices"),
        ];
        assert!(order.iter().all(|span| span.parent_span_id.is_empty()), "each is a root: {order:?}");
        for pair in order.windows(2) {
            let (sender, receiver) = (pair[0], pair[1]);
            let is_sender =
                |(trace, span): (&Vec<u8>, &Vec<u8>)| (trace, span) == (&sender.trace_id, &sender.span_id);
            let mut links = receiver.links.iter().map(|link| (&link.trace_id, &link.span_id));
            assert!(links.any(is_sender), "{receiver:?} is not linked to {sender:?}");
        }
    }

    /// Returns the span of this name whose attribute ends with this text.
    #[track_caller]
    fn find(&self, name: &str, key: &str, end: &str) -> &Span {
        let has_attribute =
            |span: &Span| key.is_empty() || attribute(span, key).is_some_and(|value| value.ends_with(end));
        let found = self.0.iter().find(|span| span.name == name && has_attribute(span));
        found.unwrap_or_else(|| panic!("there is no span {name} of {end}: {self:#?}"))
    }
}

/// Returns the value of an attribute, if it is text.
fn attribute<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
