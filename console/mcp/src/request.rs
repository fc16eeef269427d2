//! The request that a call of a tool makes.

use std::fmt;

use serde_json::{Map, Value};

use crate::openapi::{Method, Operation};

/// A request to the console.
#[derive(Debug, Eq, PartialEq)]
pub struct Request {
    pub method: Method,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub body: Option<Value>,
}

/// The arguments of a call are not those of the tool.
#[derive(Debug, Eq, PartialEq)]
pub enum WrongArguments {
    Missing(String),
    /// It is neither a number, a text nor a truth value.
    NotPlain(String),
    Unknown(String),
}

impl fmt::Display for WrongArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "the argument {name:?} is missing"),
            Self::NotPlain(name) => write!(f, "the argument {name:?} has to be a number or a text"),
            Self::Unknown(name) => write!(f, "the argument {name:?} is unknown"),
        }
    }
}

impl Request {
    /// Returns the request for an operation with these arguments. Those that are no parameters are
    /// fields of the body.
    ///
    /// # Errors
    ///
    /// An argument is missing, unknown, or of a wrong kind.
    pub fn new(operation: &Operation, mut arguments: Map<String, Value>) -> Result<Self, WrongArguments> {
        let mut path = operation.path.clone();
        let mut query = Vec::new();
        for parameter in &operation.parameters {
            let name = &parameter.name;
            let value = match arguments.remove(name) {
                None | Some(Value::Null) if parameter.is_required => {
                    return Err(WrongArguments::Missing(name.clone()));
                }
                None | Some(Value::Null) => continue,
                Some(value) => plain(&value).ok_or_else(|| WrongArguments::NotPlain(name.clone()))?,
            };
            if parameter.is_in_path {
                path = path.replace(&format!("{{{name}}}"), &encode(&value));
            } else {
                query.push((name.clone(), value));
            }
        }
        let body = match (&operation.body, arguments.keys().next()) {
            (None, Some(unknown)) => return Err(WrongArguments::Unknown(unknown.clone())),
            (None, None) => None,
            (Some(_), _) => Some(Value::Object(arguments)),
        };
        Ok(Self { method: operation.method, path, query, body })
    }
}

/// Returns a value as it is written in a path or a query.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Encodes a segment of a path, so that it stays one.
fn encode(segment: &str) -> String {
    let mut encoded = String::new();
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::openapi::Parameter;

    fn operation(body: Option<Value>) -> Operation {
        let parameter = |name: &str, is_in_path| Parameter {
            name: name.to_owned(),
            is_in_path,
            is_required: is_in_path,
            schema: json!({}),
        };
        Operation {
            name: "act".to_owned(),
            description: String::new(),
            method: Method::Post,
            path: "/things/{id}/{action}".to_owned(),
            parameters: vec![parameter("id", true), parameter("action", true), parameter("q", false)],
            body,
            needs_token: true,
        }
    }

    fn request(body: Option<Value>, arguments: Value) -> Result<Request, WrongArguments> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        Request::new(&operation(body), arguments)
    }

    #[test]
    fn arguments_go_to_path_query_and_body() {
        let request =
            request(Some(json!({})), json!({ "id": 7, "action": "../kill", "q": "a b", "incarnation": 2 }));
        let expected = Request {
            method: Method::Post,
            path: "/things/7/%2E%2E%2Fkill".to_owned(),
            query: vec![("q".to_owned(), "a b".to_owned())],
            body: Some(json!({ "incarnation": 2 })),
        };
        assert_eq!(request, Ok(expected));
    }

    #[test]
    fn wrong_arguments_are_named() {
        let wrong = |arguments| request(None, arguments).expect_err("they are wrong").to_string();
        assert_eq!(wrong(json!({ "action": "stop" })), "the argument \"id\" is missing");
        assert_eq!(
            wrong(json!({ "id": [1], "action": "stop" })),
            "the argument \"id\" has to be a number or a text"
        );
        assert_eq!(wrong(json!({ "id": 1, "action": "stop", "x": 1 })), "the argument \"x\" is unknown");
    }
}
