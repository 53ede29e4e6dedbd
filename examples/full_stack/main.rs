//! A whole server: everything that usually stands around an application, in the one order in which it works, and
//! served so that what no layer can see is closed as well.
//!
//! ```sh
//! cargo run --example full_stack --features serve
//! ```
//! In another terminal: a call that takes 25 s, whose answer becomes an event stream after 10 s and beats from then
//! on, and one that nobody is allowed to make.
//! ```sh
//! curl -N localhost:3000/mcp -H 'authorization: Bearer let-me-in' -H 'content-type: application/json' \
//!   -H 'accept: application/json, text/event-stream' \
//!   -d '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"research","arguments":{"seconds":25}}}'
//! curl -i localhost:3000/mcp -d '{}'
//! ```
//! Ctrl-C drains it.

mod app;

use std::error::Error;

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let lifeline = app::lifeline()?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let app = app::around(app::routes(), &lifeline);
    let interrupted = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    let drained = lifeline.serve(listener, app).with_shutdown(interrupted).await;
    println!("{drained:?}");
    Ok(())
}
