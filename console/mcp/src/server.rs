//! The server of the protocol.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};

use crate::client::Client;
use crate::openapi::{Document, Operation};
use crate::request::Request;
use crate::tools::tool;

const INSTRUCTIONS: &str = "\
Shows a running system of actors: its supervision trees, actors, crashes with their causes, dead \
letters, pools of workers and names. Begin with the overview, and with the crashes if there are any. \
Lists are read in parts, with offset and limit.";

/// The tools of one console.
#[derive(Debug)]
pub struct Server {
    client: Client,
    operations: Arc<[Operation]>,
}

impl Server {
    /// Returns a server with the operations that the client may use.
    pub fn new(client: Client, document: Document) -> Self {
        let may_act = client.has_token();
        let operations = document.operations.into_iter().filter(|one| may_act || !one.needs_token);
        Self { client, operations: operations.collect() }
    }

    fn find(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    async fn call(&self, request: CallToolRequestParams) -> Result<CallToolResult, ErrorData> {
        let Some(operation) = self.find(&request.name) else {
            return Err(ErrorData::invalid_params(format!("there is no tool {:?}", request.name), None));
        };
        let request = Request::new(operation, request.arguments.unwrap_or_default())
            .map_err(|wrong| ErrorData::invalid_params(wrong.to_string(), None))?;
        let client = self.client.clone();
        let answer = tokio::task::spawn_blocking(move || client.send(&request)).await;
        Ok(match answer {
            Ok(Ok(answer)) if answer.is_success => {
                CallToolResult::success(vec![ContentBlock::text(answer.text)])
            }
            Ok(Ok(answer)) => CallToolResult::error(vec![ContentBlock::text(answer.text)]),
            Ok(Err(unreachable)) => CallToolResult::error(vec![ContentBlock::text(unreachable.to_string())]),
            Err(ended) => CallToolResult::error(vec![ContentBlock::text(ended.to_string())]),
        })
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.operations.iter().map(tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Ok(self.call(request).await?.into())
    }
}
