//! The loops of the program: one screen as text, or a terminal until `q`.

use std::fmt;
use std::io::{self, Write};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event as TerminalEvent, KeyEvent, KeyEventKind};
use ratatui::{DefaultTerminal, Terminal};

use crate::client::{Client, ClientError, Fetched};
use crate::draw::draw;
use crate::options::Options;
use crate::poller;
use crate::state::{State, Verdict};

/// How often the screen is drawn at least, so that ages move.
const REDRAW: Duration = Duration::from_secs(1);

/// Why the program ends before `q`.
#[derive(Debug)]
pub enum RunError {
    Terminal(io::Error),
    Console(ClientError),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terminal(error) => write!(f, "the terminal: {error}"),
            Self::Console(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::Terminal(error)
    }
}

/// Something to act on.
enum Input {
    Key(KeyEvent),
    /// The size of the terminal has changed.
    Resized,
    Fetched(Result<Box<Fetched>, ClientError>),
    /// The keys cannot be read any more.
    Broken(io::Error),
}

impl From<Result<Fetched, ClientError>> for Input {
    fn from(fetched: Result<Fetched, ClientError>) -> Self {
        Self::Fetched(fetched.map(Box::new))
    }
}

/// Prints one screen as text.
///
/// # Errors
///
/// The console does not answer, or the output is closed.
pub fn once(options: &Options, width: u16, height: u16) -> Result<(), RunError> {
    let client = Client::new(&options.url);
    let mut state = State::new(&options.url, options.view);
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| draw(frame, &mut state));
    state.update(Ok(client.fetch(&state.wanted()).map_err(RunError::Console)?));
    let Ok(_) = terminal.draw(|frame| draw(frame, &mut state));
    let buffer = terminal.backend().buffer();
    let mut out = io::stdout().lock();
    for line in buffer.content().chunks(width.into()) {
        let line: String = line.iter().map(|cell| cell.symbol()).collect();
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Shows the system until the user ends it.
///
/// # Errors
///
/// There is no terminal, or it is gone.
pub fn interactive(options: &Options) -> Result<(), RunError> {
    let mut terminal = ratatui::try_init()?;
    let result = serve(options, &mut terminal);
    ratatui::try_restore()?;
    result
}

fn serve(options: &Options, terminal: &mut DefaultTerminal) -> Result<(), RunError> {
    let (inputs, next) = mpsc::channel();
    let (wants, wanted) = mpsc::channel();
    poller::start(Client::new(&options.url), options.interval, wanted, inputs.clone());
    thread::spawn(move || read_terminal(&inputs));
    let mut state = State::new(&options.url, options.view);
    let mut asked = None;
    loop {
        terminal.draw(|frame| draw(frame, &mut state))?;
        let wanted = state.wanted();
        if asked.as_ref() != Some(&wanted) {
            // The poller ends after this loop only.
            let _ = wants.send(wanted.clone());
            asked = Some(wanted);
        }
        match next.recv_timeout(REDRAW) {
            Ok(Input::Key(key)) if state.press(key) == Verdict::End => return Ok(()),
            Ok(Input::Fetched(fetched)) => state.update(fetched.map(|fetched| *fetched)),
            Ok(Input::Broken(error)) => return Err(error.into()),
            Ok(Input::Key(_) | Input::Resized) | Err(_) => {}
        }
    }
}

/// Reads the terminal until it fails or nothing listens any more.
fn read_terminal(inputs: &Sender<Input>) {
    loop {
        let input = match event::read() {
            Ok(TerminalEvent::Key(key)) if key.kind != KeyEventKind::Release => Input::Key(key),
            Ok(TerminalEvent::Resize(..)) => Input::Resized,
            Ok(_) => continue,
            Err(error) => Input::Broken(error),
        };
        let is_last = matches!(input, Input::Broken(_));
        if inputs.send(input).is_err() || is_last {
            return;
        }
    }
}
