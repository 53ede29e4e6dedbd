//! A language model of a test's own.

use std::process::Command;
use std::time::Duration;

use super::{Part, scripts, wheels};

/// A model server on a port of its own: chat, embeddings and metrics.
#[derive(Debug)]
pub(crate) struct Model {
    part: Part,
    address: String,
}

// === impl Model ===

impl Model {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Takes the place of one that was at this URL.
    pub(crate) fn start_at(url: &str) -> Self {
        let port = url.trim_end_matches("/v1").rsplit(':').next().expect("a port");
        Self::with(&[port])
    }

    fn with(arguments: &[&str]) -> Self {
        let (part, address) = Part::start(
            Command::new("python3")
                .arg(scripts().join("model.py"))
                .args(arguments)
                .env("PYTHONPATH", wheels())
                .stderr(std::process::Stdio::null()),
        );
        Self { part, address }
    }

    /// The base of its API.
    pub(crate) fn url(&self) -> String {
        format!("{}/v1", self.address)
    }

    /// How many answers it is working on.
    pub(crate) async fn at_work(&self) -> u32 {
        let metrics = reqwest::get(format!("{}/metrics", self.address)).await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("llamacpp:requests_processing "));
        line.expect("it counts").trim().parse().unwrap()
    }

    /// Waits until nothing is generated any more.
    pub(crate) async fn idle(&self, within: Duration) {
        let idle = async {
            while self.at_work().await > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(within, idle)
            .await
            .expect("the generation stops");
    }

    pub(crate) fn freeze(&self) {
        self.part.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.part.signal("-CONT");
    }

    pub(crate) fn kill(&self) {
        self.part.signal("-KILL");
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // One that was stopped cannot end. One that was killed has no time to be given back.
        let _sent = Command::new("kill")
            .args(["-CONT", &self.part.child.id().to_string()])
            .output();
    }
}
