//! The command line of the knowledge server.

use clap::Parser;

/// A knowledge base of papers behind MCP.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {}

fn main() {
    let Cli {} = Cli::parse();
}
