//! The command line: what can be said, and what holds when nothing is said.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Args, CommandFactory, Parser, Subcommand};
use tower_lifeline::platform::Chain;

use crate::fault::Fault;
use crate::origin::origin;

/// A knowledge base of papers behind MCP.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
#[non_exhaustive]
pub struct Cli {
    /// What to do. Nothing: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Serves papers over MCP, which is also what happens without a command.
    Serve(Box<ServeArgs>),
    /// Brings JSON Lines, Markdown or text files into the database.
    Ingest(IngestArgs),
    /// Searches without a server, to see what is found.
    Search(SearchArgs),
}

/// How to bring papers in.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct IngestArgs {
    /// A file, or a folder of them.
    pub path: PathBuf,
    /// What Markdown and text files are known by wherever their folder is, so that those of the same name take each
    /// other's place [default: where the folder is].
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// PostgreSQL with pgvector.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// What turns texts into vectors.
    #[command(flatten)]
    pub embed: EmbedArgs,
}

/// How to search.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct SearchArgs {
    /// What to look for.
    pub query: String,
    /// More papers: a file of JSON Lines, Markdown or text, or a folder of them.
    #[arg(long, value_name = "PATH")]
    pub papers: Option<PathBuf>,
    /// How many papers to show.
    #[arg(long, default_value_t = 5)]
    pub limit: usize,
}

/// How to serve.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct ServeArgs {
    /// Where to listen. Port 0 takes a free one.
    #[arg(long, env = "BIND", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub bind: SocketAddr,
    /// The platforms in front, outermost first: `heroku,nginx`.
    #[arg(long, env = "BEHIND", default_value = "direct", value_name = "CHAIN")]
    pub behind: Chain,
    /// Prints what does not fit the platforms in front, and exits: 1 if something will fail, else 0.
    #[arg(long)]
    pub check: bool,
    /// A host that clients may ask for besides this one's loopback names; give it once for each.
    #[arg(
        long = "allow-host",
        env = "ALLOW_HOSTS",
        value_delimiter = ',',
        value_name = "HOST"
    )]
    pub allow_hosts: Vec<String>,
    /// An origin whose pages may ask, such as `https://app.example`; all others are refused.
    #[arg(
        long = "allow-origin",
        env = "ALLOW_ORIGINS",
        value_delimiter = ',',
        value_parser = origin,
        value_name = "ORIGIN"
    )]
    pub allow_origins: Vec<String>,
    /// PostgreSQL with pgvector. Without it papers are kept in memory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// More papers for the memory: a file of JSON Lines, Markdown or text, or a folder of them.
    #[arg(long, value_name = "PATH", conflicts_with = "database_url")]
    pub papers: Option<PathBuf>,
    /// What turns texts into vectors.
    #[command(flatten)]
    pub embed: EmbedArgs,
    /// The base of an OpenAI-like API, as `http://127.0.0.1:11434/v1`, whose model writes the answers; its key is in
    /// LLM_API_KEY. Without it answers are sentences of what was found.
    #[arg(long, env = "LLM_URL", value_name = "URL", requires = "llm_model")]
    pub llm_url: Option<String>,
    /// The name of that model.
    #[arg(long, env = "LLM_MODEL", value_name = "NAME")]
    pub llm_model: Option<String>,
    /// How long things may take, and how many at once.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// What goes wrong on purpose: `search`, `model` or `stream`, then `=`, then `stall` or a delay as `3s`; or
    /// `search=runaway` with a database. For demonstrations.
    #[arg(
        long = "fault",
        env = "FAULT",
        value_delimiter = ',',
        value_name = "WHERE=WHAT"
    )]
    pub faults: Vec<Fault>,
}

/// What turns texts into vectors.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct EmbedArgs {
    /// The base of an OpenAI-like API whose model embeds; its key is in EMBED_API_KEY. Without it a small embedding
    /// is built in.
    #[arg(long, env = "EMBED_URL", value_name = "URL", requires = "embed_model")]
    pub embed_url: Option<String>,
    /// The name of that model.
    #[arg(long, env = "EMBED_MODEL", value_name = "NAME")]
    pub embed_model: Option<String>,
}

/// How long things may take, and how many at once.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct LimitArgs {
    /// How many calls at once.
    #[arg(long, default_value_t = 8, value_name = "COUNT")]
    pub seats: u32,
    /// How many more may wait.
    #[arg(long, default_value_t = 16, value_name = "COUNT")]
    pub queue: u32,
    /// How long one may wait [default: 5 s, or half of the time to the first byte where that is shorter].
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub queue_wait: Option<Duration>,
    /// A search, the wait for a connection to the database included.
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "TIME")]
    pub search_limit: Duration,
    /// From the question to the model to its first word.
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    pub first_word_limit: Duration,
    /// From one word of the model to the next.
    #[arg(long, default_value = "20s", value_parser = duration, value_name = "TIME")]
    pub next_word_limit: Duration,
    /// The model's whole answer.
    #[arg(long, default_value = "120s", value_parser = duration, value_name = "TIME")]
    pub answer_limit: Duration,
    /// How many papers an answer is written from. Each is some hundred words to read for the model.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=20), value_name = "COUNT")]
    pub passages: u32,
    /// The most tokens that the model is asked for.
    #[arg(long, default_value_t = 1024, value_name = "COUNT")]
    pub answer_tokens: u32,
    /// One request and its answer [default: 120 s, or what the platforms in front allow].
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub request_limit: Option<Duration>,
    /// A call that may outlive its request: a task, or a call of a session whose client comes back for the answer.
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "TIME")]
    pub call_limit: Duration,
    /// How many sessions of revisions before 2026-07-28. One without a call makes room for a new one; it takes some tens
    /// of KB.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..), value_name = "COUNT")]
    pub sessions: u32,
    /// How long the calls that are under way have to end when the server is stopped.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub drain: Option<Duration>,
}

/// The command line, to which a variable of the environment that is empty is one that is not set: so they are left
/// by compose files and by platforms that have no way to take one back.
#[must_use]
pub fn command() -> clap::Command {
    let heard = |argument: Arg| match argument.get_env().is_some_and(is_empty) {
        true => argument.env(None::<&'static str>),
        false => argument,
    };
    Cli::command()
        .mut_args(heard)
        .mut_subcommands(|command| command.mut_args(heard))
}

fn is_empty(variable: &OsStr) -> bool {
    std::env::var_os(variable).is_some_and(|value| value.is_empty())
}

/// A duration with its unit: `350ms`, `15s`, `2m`, `1h`.
///
/// # Errors
/// Says what is wrong with it.
pub fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = UNITS.iter().find(|(name, _)| *name == unit);
    let millis = unit.and_then(|(_, millis)| number.parse::<u64>().ok()?.checked_mul(*millis));
    match millis {
        None => Err("expected a number and its unit, as 350ms, 15s, 2m or 1h".to_owned()),
        Some(0) => Err("nothing takes no time at all".to_owned()),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_do_not_contradict_one_another() {
        command().debug_assert();
    }

    #[test]
    fn durations_have_units() {
        for (text, millis) in [
            ("350ms", 350),
            ("15s", 15_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)));
        }
        for text in ["", "15", "s", "0s", "-1s", "1.5s", "1d", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
