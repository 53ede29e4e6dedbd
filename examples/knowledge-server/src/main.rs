//! The command line of the knowledge server.

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::FromArgMatches;
use knowledge_server::cli::{self, Cli, Command};
use knowledge_server::{server, shell};
use tracing_subscriber::EnvFilter;

/// rmcp tells of each notification, and what is in it.
const USUAL_LOG: &str = "info,rmcp=warn";

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL_LOG));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let arguments = cli::command().get_matches();
    let parsed = Cli::from_arg_matches(&arguments).unwrap_or_else(|error| error.exit());
    run(parsed).await.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

async fn run(cli: Cli) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    match cli.command {
        None => server::run(cli.serve).await,
        Some(Command::Serve(args)) => server::run(*args).await,
        Some(Command::Ingest(args)) => shell::ingest(args).await,
        Some(Command::Search(args)) => shell::search(args).await,
        Some(_) => Err("not known here".into()),
    }
}
