//! The tools.

use std::sync::Arc;
use std::time::Duration;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::{ToolCallContext, schema_for_output};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, CreateTaskResult,
    GetTaskParams, GetTaskResult, Implementation, JsonObject, ServerCapabilities, ServerConfig,
    UpdateTaskParams,
};
use rmcp::schemars::{self, JsonSchema};
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskContext, TaskExit, TaskOptions};
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use serde::Deserialize;
use tokio::sync::watch;
use tower_lifeline::{Deadline, SharedSeat};

use super::Tasks;
use super::answers::{AnswerOut, PaperOut, SearchOut, failed, fallen};
use super::call::{Call, in_words};
use super::places::Place;
use crate::knowledge::{Knowledge, Sofar};
use crate::paper::LONGEST_ID;
use crate::stack::SLOW_TOOL;

/// Whoever answers the calls. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Papers {
    knowledge: Arc<Knowledge>,
    tasks: Tasks,
    tools: Arc<ToolRouter<Self>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct SearchParams {
    /// What to look for, in plain words.
    #[schemars(length(min = 1, max = 1000))]
    query: String,
    /// How many papers at most.
    #[serde(default = "usual_limit")]
    #[schemars(range(min = 1, max = 20))]
    limit: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct AskParams {
    /// The question.
    #[schemars(length(min = 1, max = 2000))]
    question: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct GetParams {
    /// The id of the paper, as search_papers tells it.
    #[schemars(length(min = 1, max = LONGEST_ID))]
    id: String,
}

const MOST_PAPERS: u32 = 20;

/// How long a result is kept for its client after its task could have ended.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// How often a client should look.
const POLL: u64 = 1000;

const INSTRUCTIONS: &str = "A knowledge base of papers. search_papers finds papers by meaning, get_paper shows one, \
     and ask_papers answers a question from what it finds and cites it.";

const fn usual_limit() -> u32 {
    5
}

// === impl Papers ===

#[tool_router]
impl Papers {
    pub(super) fn new(knowledge: Arc<Knowledge>, tasks: Tasks) -> Self {
        Self {
            knowledge,
            tasks,
            tools: Arc::new(Self::tool_router()),
        }
    }

    #[tool(
        description = "Finds papers by meaning, best first.",
        output_schema = schema_for_output::<SearchOut>(),
        annotations(title = "Search papers", read_only_hint = true, open_world_hint = false)
    )]
    async fn search_papers(
        &self,
        Parameters(params): Parameters<SearchParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        if let Err(wrong) = check("query", &params.query, 1000) {
            return Ok(failed(wrong));
        }
        if !(1..=MOST_PAPERS).contains(&params.limit) {
            return Ok(failed(format!(
                "`limit` is {}: give one from 1 to {MOST_PAPERS}",
                params.limit
            )));
        }
        let call = Call::of("search_papers", context, &self.tasks);
        let deadline = call.deadline.clone();
        call.run(async {
            let found = self
                .knowledge
                .search(&params.query, params.limit as usize, &deadline);
            match found.await {
                Ok(hits) => SearchOut::result(hits),
                Err(error) => fallen("search_papers", &error),
            }
        })
        .await
    }

    #[tool(
        description = "Answers a question from the papers that it finds, and cites them. It may take a minute; with a \
                       progress token it tells the answer as far as it is written.",
        output_schema = schema_for_output::<AnswerOut>(),
        annotations(title = "Ask papers", read_only_hint = true, open_world_hint = false)
    )]
    async fn ask_papers(
        &self,
        Parameters(params): Parameters<AskParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        if let Err(wrong) = check("question", &params.question, 2000) {
            return Ok(failed(wrong));
        }
        let call = Call::of(SLOW_TOOL, context, &self.tasks);
        let deadline = call.deadline.clone();
        let (sofar, heard) = watch::channel(Sofar::default());
        call.run_telling(heard, self.answer(&params.question, &deadline, &sofar))
            .await
    }

    #[tool(
        description = "Shows one paper.",
        output_schema = schema_for_output::<PaperOut>(),
        annotations(title = "Get paper", read_only_hint = true, open_world_hint = false)
    )]
    async fn get_paper(
        &self,
        Parameters(params): Parameters<GetParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        if let Err(wrong) = check("id", &params.id, LONGEST_ID) {
            return Ok(failed(wrong));
        }
        let call = Call::of("get_paper", context, &self.tasks);
        let deadline = call.deadline.clone();
        call.run(async {
            match self.knowledge.paper(&params.id, &deadline).await {
                Ok(Some(paper)) => PaperOut::result(paper),
                Ok(None) => failed(format!(
                    "there is no paper {:?}: search_papers tells the ids of those that there are",
                    params.id
                )),
                Err(error) => fallen("get_paper", &error),
            }
        })
        .await
    }

    async fn answer(
        &self,
        question: &str,
        deadline: &Deadline,
        sofar: &watch::Sender<Sofar>,
    ) -> CallToolResult {
        let answer = self.knowledge.ask(question, deadline, sofar).await;
        answer.map_or_else(
            |error| fallen(SLOW_TOOL, &error),
            |answer| AnswerOut::result(answer, self.knowledge.author()),
        )
    }

    /// The call as a task, which its client asks for when it likes: no limit of a platform in front matters to it.
    fn as_task(
        &self,
        arguments: Option<JsonObject>,
        context: RequestContext<RoleServer>,
        (place, ttl): (Place, Duration),
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = serde_json::Value::Object(arguments.unwrap_or_default());
        let params: AskParams = match serde_json::from_value(arguments) {
            Ok(params) => params,
            Err(error) => return Ok(failed(format!("the arguments cannot be read: {error}")).into()),
        };
        if let Err(wrong) = check("question", &params.question, 2000) {
            return Ok(failed(wrong).into());
        }
        let seat = Call::of(SLOW_TOOL, context, &self.tasks).seat;
        let options = TaskOptions::new()
            .with_ttl_ms(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))
            .with_poll_interval_ms(POLL);
        let this = self.clone();
        let place = place.with_task();
        let task = self.tasks.running.spawn(options, move |task| {
            Box::pin(async move {
                let _place = place;
                this.work(&params.question, &task, seat).await
            })
        });
        Ok(CallToolResponse::Task(CreateTaskResult::new(task)))
    }

    async fn work(
        &self,
        question: &str,
        task: &TaskContext,
        seat: Option<SharedSeat>,
    ) -> Result<CallToolResult, TaskExit> {
        let deadline = self.tasks.deadline();
        let (sofar, mut heard) = watch::channel(Sofar::default());
        let status = async {
            while heard.changed().await.is_ok() {
                task.set_status_message(in_words(&heard.borrow_and_update()));
            }
            std::future::pending().await
        };
        let done = tokio::select! {
            biased;
            () = task.cancelled() => Err(TaskExit::Cancelled),
            answer = self.answer(question, &deadline, &sofar) => Ok(answer),
            never = status => never,
        };
        drop(seat);
        done
    }
}

#[tool_handler(router = self.tools)]
impl ServerHandler for Papers {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tasks()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
            ))
            .with_instructions(INSTRUCTIONS)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let capabilities = context.client_capabilities();
        let takes_tasks = capabilities.is_some_and(|capabilities| capabilities.supports_tasks());
        if takes_tasks && request.name == SLOW_TOOL {
            let ttl = self.tasks.limit.saturating_add(KEPT);
            // Where too many are kept it is answered as it would be to a client that knows no tasks.
            if let Some(place) = self.tasks.places.take(ttl) {
                return self.as_task(request.arguments, context, (place, ttl));
            }
        }
        let call = ToolCallContext::new(self, request, context);
        self.tools.call(call).await
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        Ok(GetTaskResult::new(self.tasks.running.get_task(&request.task_id)?))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let responses = request.input_responses;
        self.tasks.running.update_task(&request.task_id, responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.running.cancel_task(&request.task_id)
    }
}

/// A text that says something, and not more than is taken.
fn check(name: &str, text: &str, most: usize) -> Result<(), String> {
    let length = text.chars().count();
    if text.trim().is_empty() {
        return Err(format!("`{name}` is empty"));
    }
    if length > most {
        return Err(format!("`{name}` has {length} characters: {most} are the most"));
    }
    Ok(())
}
