//! The store and the models that the command line names.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tower_lifeline::{Deadline, Reporter};

use crate::cli::{EmbedArgs, LimitArgs, ServeArgs};
use crate::embed::Embedder;
use crate::embed::builtin::Builtin;
use crate::embed::remote::RemoteEmbedder;
use crate::fault::Faults;
use crate::ingest::{self, Progress};
use crate::knowledge::{Knowledge, StepLimits};
use crate::model::{Answerer, ApiKey, ChatModel, Endpoint, Extractive, ModelLimits};
use crate::stack;
use crate::store::pg::{Fault, PgSettings, PgStore};
use crate::store::{Store, StoreError};

/// How long a model that embeds may take to show itself at the start.
const START: Duration = Duration::from_secs(30);

/// A query is short, and a part of a search.
const EMBED: Duration = Duration::from_secs(10);

/// Everything that the tools need.
pub(crate) async fn knowledge(
    args: &ServeArgs,
    reporter: &Reporter,
) -> Result<Knowledge, Box<dyn Error + Send + Sync>> {
    let faults = Faults::new(args.faults.clone());
    let embedder = embedder(&args.embed, reporter).await?;
    let store = store(args, &*embedder, &faults).await?;
    Ok(Knowledge {
        store,
        embedder,
        answerer: answerer(args, reporter)?,
        limits: steps(&args.limits),
        passages: args.limits.passages as usize,
        faults,
    })
}

/// The model that embeds, or what is built in.
pub(crate) async fn embedder(
    args: &EmbedArgs,
    reporter: &Reporter,
) -> Result<Arc<dyn Embedder>, Box<dyn Error + Send + Sync>> {
    let (Some(url), Some(model)) = (&args.embed_url, &args.embed_model) else {
        return Ok(Arc::new(Builtin::new()));
    };
    // Without the URL itself, in which there may be a password.
    let endpoint = Endpoint::new(url, model, ApiKey::from_env("EMBED_API_KEY"))
        .map_err(|error| format!("--embed-url: {error}"))?;
    let host = endpoint.host().to_owned();
    let embedder = RemoteEmbedder::connect(endpoint, Deadline::after(START), reporter)
        .await
        .map_err(|error| format!("--embed-url: {error} (at {host})"))?;
    Ok(Arc::new(embedder))
}

/// The database.
pub(crate) async fn database(
    url: &str,
    limits: Option<&LimitArgs>,
    embedder: &dyn Embedder,
) -> Result<PgStore, StoreError> {
    let mut settings = PgSettings::parse(url)?;
    if let Some(limits) = limits {
        settings.pool_size = stack::pool(limits) as usize;
        settings.query = limits.search_limit;
        // So that a pool without a free connection is told as that.
        settings.acquire = settings.acquire.min(limits.search_limit / 2);
    }
    PgStore::open(settings, embedder).await
}

async fn store(
    args: &ServeArgs,
    embedder: &dyn Embedder,
    faults: &Faults,
) -> Result<Arc<dyn Store>, Box<dyn Error + Send + Sync>> {
    let Some(url) = &args.database_url else {
        let papers = args.papers.as_deref();
        return memory(embedder, papers, faults).await;
    };
    let store = database(url, Some(&args.limits), embedder).await?;
    if faults.runaway() {
        store.inject(Some(Fault::Runaway));
    }
    Ok(Arc::new(store))
}

async fn memory(
    embedder: &dyn Embedder,
    papers: Option<&Path>,
    faults: &Faults,
) -> Result<Arc<dyn Store>, Box<dyn Error + Send + Sync>> {
    if faults.runaway() {
        return Err("`search=runaway` needs --database-url: in memory no query can run away".into());
    }
    let store = ingest::embedded_store(embedder, papers, &mut Progress::new()).await?;
    Ok(Arc::new(store))
}

fn answerer(
    args: &ServeArgs,
    reporter: &Reporter,
) -> Result<Arc<dyn Answerer>, Box<dyn Error + Send + Sync>> {
    let (Some(url), Some(model)) = (&args.llm_url, &args.llm_model) else {
        return Ok(Arc::new(Extractive::new()));
    };
    let endpoint = Endpoint::new(url, model, ApiKey::from_env("LLM_API_KEY"))
        .map_err(|error| format!("--llm-url: {error}"))?;
    let model = ChatModel::new(endpoint, model_limits(&args.limits), reporter)?;
    Ok(Arc::new(model))
}

fn model_limits(args: &LimitArgs) -> ModelLimits {
    let usual = ModelLimits::default();
    ModelLimits {
        connect: usual.connect.min(args.first_word_limit),
        first_token: args.first_word_limit,
        between_tokens: args.next_word_limit,
        total: args.answer_limit,
        answer_tokens: args.answer_tokens,
        ..usual
    }
}

fn steps(args: &LimitArgs) -> StepLimits {
    StepLimits {
        embed: EMBED.min(args.search_limit),
        search: args.search_limit,
        first_word: args.first_word_limit.saturating_add(ModelLimits::default().queue),
        next_word: args.next_word_limit,
    }
}
