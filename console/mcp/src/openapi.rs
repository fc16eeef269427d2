//! The operations of an OpenAPI document.

use std::fmt;

use serde_json::{Map, Value};

/// The operations that a document describes.
#[derive(Debug)]
pub struct Document {
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    pub name: String,
    pub description: String,
    pub method: Method,
    /// The path, with the names of parameters in braces.
    pub path: String,
    pub parameters: Vec<Parameter>,
    /// The schema of the body, if there is one.
    pub body: Option<Value>,
    pub needs_token: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    Get,
    Post,
}

/// A parameter of the path or of the query.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub is_in_path: bool,
    pub is_required: bool,
    pub schema: Value,
}

/// The text is no OpenAPI document.
#[derive(Debug)]
pub struct NoDocument(String);

impl fmt::Display for NoDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the description of the API cannot be read: {}", self.0)
    }
}

impl std::error::Error for NoDocument {}

/// How deep references to other parts of the document are followed.
const DEEPEST: usize = 16;

impl Document {
    /// Reads a document. Operations whose answers are not JSON are left out.
    ///
    /// # Errors
    ///
    /// The text is no JSON, or has no paths.
    pub fn parse(text: &str) -> Result<Self, NoDocument> {
        let root: Value = serde_json::from_str(text).map_err(|error| NoDocument(error.to_string()))?;
        let paths = root.get("paths").and_then(Value::as_object);
        let paths = paths.ok_or_else(|| NoDocument("it has no paths".to_owned()))?;
        let mut operations = Vec::new();
        for (path, item) in paths {
            for (method, name) in [(Method::Get, "get"), (Method::Post, "post")] {
                operations
                    .extend(item.get(name).and_then(|found| operation(&root, path, item, method, found)));
            }
        }
        Ok(Self { operations })
    }
}

fn operation(root: &Value, path: &str, item: &Value, method: Method, found: &Value) -> Option<Operation> {
    let content = &resolve(root, &found["responses"]["200"], 0)["content"];
    content.get("application/json")?;
    let text = |name: &str| found[name].as_str();
    let shared = item["parameters"].as_array().into_iter().flatten();
    let parameters = shared.chain(found["parameters"].as_array().into_iter().flatten());
    let needs_token = found["security"].as_array().is_some_and(|security| !security.is_empty());
    Some(Operation {
        name: text("operationId")?.to_owned(),
        description: text("description").or(text("summary")).unwrap_or_default().to_owned(),
        method,
        path: path.to_owned(),
        parameters: parameters.filter_map(|one| parameter(&resolve(root, one, 0))).collect(),
        body: found
            .get("requestBody")
            .map(|body| resolve(root, body, 0)["content"]["application/json"]["schema"].take()),
        needs_token,
    })
}

fn parameter(found: &Value) -> Option<Parameter> {
    let place = found["in"].as_str()?;
    let mut schema = found["schema"].as_object().cloned().unwrap_or_default();
    if let Some(description) = found.get("description") {
        schema.insert("description".to_owned(), description.clone());
    }
    ["path", "query"].contains(&place).then_some(Parameter {
        name: found["name"].as_str()?.to_owned(),
        is_in_path: place == "path",
        is_required: place == "path" || found["required"] == true,
        schema: Value::Object(schema),
    })
}

/// Returns a value with the parts of the document to which it refers.
fn resolve(root: &Value, value: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    match value {
        Value::Object(fields) => match fields.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
                target.map_or(Value::Null, |target| resolve(root, target, depth + 1))
            }
            None => fields
                .iter()
                .map(|(name, field)| (name.clone(), resolve(root, field, depth + 1)))
                .collect::<Map<_, _>>()
                .into(),
        },
        Value::Array(items) => items.iter().map(|item| resolve(root, item, depth + 1)).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r##"{
        "paths": {
            "/api/v1/things/{id}": {
                "parameters": [{ "$ref": "#/components/parameters/id" }],
                "get": {
                    "operationId": "thing", "summary": "One thing.",
                    "parameters": [{ "name": "q", "in": "query", "schema": { "type": "string" } }],
                    "responses": { "200": { "content": { "application/json": {} } } }
                },
                "post": {
                    "operationId": "act", "summary": "Acts.", "security": [{ "token": [] }],
                    "requestBody": { "content": { "application/json": { "schema": { "type": "object" } } } },
                    "responses": { "200": { "content": { "application/json": {} } } }
                }
            },
            "/stream": {
                "get": { "operationId": "stream", "responses": { "200": { "content": { "text/event-stream": {} } } } }
            }
        },
        "components": { "parameters": { "id": {
            "name": "id", "in": "path", "required": true, "schema": { "type": "integer" }, "description": "Which." } } }
    }"##;

    #[test]
    fn operations_with_json_answers_are_found_with_all_they_need() {
        let Document { operations } = Document::parse(TEXT).expect("it is a document");
        let names: Vec<_> = operations.iter().map(|one| (&*one.name, one.method, one.needs_token)).collect();
        assert_eq!(names, [("thing", Method::Get, false), ("act", Method::Post, true)]);
        let parameters: Vec<_> = operations[0]
            .parameters
            .iter()
            .map(|one| (&*one.name, one.is_in_path, one.is_required))
            .collect();
        assert_eq!(parameters, [("id", true, true), ("q", false, false)]);
        assert_eq!(operations[0].parameters[0].schema["description"], "Which.");
        assert_eq!(operations[1].body, Some(serde_json::json!({ "type": "object" })));
    }

    #[test]
    fn text_without_paths_is_no_document() {
        assert!(Document::parse("{}").is_err());
        assert!(Document::parse("<html>").is_err());
    }
}
