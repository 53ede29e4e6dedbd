//! The command line of the knowledge server.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use knowledge_server::embed::builtin::Builtin;
use knowledge_server::ingest::{self, Progress};
use knowledge_server::store::Store;
use tower_lifeline::Deadline;

/// A knowledge base of papers behind MCP.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Brings JSON Lines, Markdown or text files into the database.
    Ingest {
        /// A file, or a folder of them.
        path: PathBuf,
    },
    /// Searches without a server, to see what is found.
    Search {
        /// What to look for.
        query: String,
        /// More papers: a file of JSON Lines, Markdown or text, or a folder of them.
        #[arg(long, value_name = "PATH")]
        papers: Option<PathBuf>,
        /// How many papers to show.
        #[arg(long, default_value_t = 5)]
        limit: usize,
    },
}

const NO_DATABASE: &str = "ingest needs --database-url: the embedded store lives in the process; start the server \
                           with --papers PATH instead";

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Ingest { .. } => Err(NO_DATABASE.into()),
        Command::Search { query, papers, limit } => search(&query, papers.as_deref(), limit).await,
    };
    ended.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

async fn search(query: &str, papers: Option<&Path>, limit: usize) -> Result<ExitCode, Box<dyn Error>> {
    let builtin = Builtin::new();
    let store = ingest::embedded_store(&builtin, papers, &mut Progress::new()).await?;
    let hits = store
        .search(&builtin.vector(query), limit, Deadline::unbounded())
        .await?;
    for hit in hits {
        println!(
            "{:.3}  {}  {} ({})",
            hit.score, hit.paper.id, hit.paper.title, hit.paper.year
        );
    }
    Ok(ExitCode::SUCCESS)
}
