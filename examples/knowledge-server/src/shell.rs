//! The commands that serve nobody.

use std::error::Error;
use std::process::ExitCode;

use tower_lifeline::{Deadline, Reporter};

use crate::cli::{IngestArgs, SearchArgs};
use crate::embed::builtin::Builtin;
use crate::ingest::{self, Limits, Progress};
use crate::open;
use crate::store::Store;

const NO_DATABASE: &str = "ingest needs --database-url: the embedded store lives in the process; start the server \
                           with --papers PATH instead";

/// Brings people's own texts into the database. Exits with 2 if there was nothing that could be used.
///
/// # Errors
/// Where nothing can be read, and where the model or the database fails.
pub async fn ingest(args: IngestArgs) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let url = args.database_url.as_deref().ok_or(NO_DATABASE)?;
    let embedder = open::embedder(&args.embed, &Reporter::log()).await?;
    let store = open::database(url, None, &*embedder).await?;
    let mut progress = Progress::new();
    let known_as = args.source.as_deref();
    let summary = ingest::run(
        &args.path,
        known_as,
        Limits::default(),
        &*embedder,
        &store,
        &mut progress,
    )
    .await?;
    drop(progress);
    // Once the papers are in, since an index takes longer to keep than to make.
    store.ensure_index().await?;
    println!("{summary}");
    Ok(ExitCode::from(summary.exit_code()))
}

/// Shows what is found.
///
/// # Errors
/// Where nothing can be read.
pub async fn search(args: SearchArgs) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let builtin = Builtin::new();
    let store = ingest::embedded_store(&builtin, args.papers.as_deref(), &mut Progress::new()).await?;
    let vector = builtin.vector(&args.query);
    for hit in store.search(&vector, args.limit, Deadline::unbounded()).await? {
        let paper = hit.paper;
        println!("{:.3}  {}  {} ({})", hit.score, paper.id, paper.title, paper.year);
    }
    Ok(ExitCode::SUCCESS)
}
