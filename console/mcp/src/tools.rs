//! Operations as tools.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use crate::openapi::Operation;

/// Returns the tool of an operation. Its arguments are the parameters and the fields of the body.
pub fn tool(operation: &Operation) -> Tool {
    let hints =
        ToolAnnotations::default().read_only(!operation.needs_token).destructive(operation.needs_token);
    Tool::new(operation.name.clone(), operation.description.clone(), Arc::new(schema(operation)))
        .with_annotations(hints)
}

fn schema(operation: &Operation) -> JsonObject {
    let body = operation.body.as_ref();
    let mut properties = body.and_then(|body| body["properties"].as_object()).cloned().unwrap_or_default();
    let mut required = body.and_then(|body| body["required"].as_array()).cloned().unwrap_or_default();
    for parameter in &operation.parameters {
        properties.insert(parameter.name.clone(), parameter.schema.clone());
        if parameter.is_required {
            required.push(parameter.name.clone().into());
        }
    }
    Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), Value::Object(properties)),
        ("required".to_owned(), Value::Array(required)),
        ("additionalProperties".to_owned(), json!(false)),
    ])
}
