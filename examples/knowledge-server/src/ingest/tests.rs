//! What comes out of files, good ones and others.

use std::fs;

use futures::FutureExt;
use futures::future::BoxFuture;
use tempfile::TempDir;
use tower_lifeline::Deadline;

use super::*;
use crate::embed::EmbedError;
use crate::embed::builtin::Builtin;
use crate::store::StoreError;

/// A folder, a store, and what was told.
struct Desk {
    folder: TempDir,
    embedder: Builtin,
    store: Embedded,
    told: Told,
}

#[derive(Default)]
struct Told {
    bytes: u64,
    done: u64,
    complaints: Vec<String>,
}

impl Watcher for Told {
    fn begin(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    fn advance(&mut self, bytes: u64) {
        self.done += bytes;
    }

    fn complain(&mut self, complaint: &Complaint) {
        let file = complaint.place.file.file_name().unwrap().to_string_lossy();
        self.complaints
            .push(format!("{file}:{}: {}", complaint.place.line, complaint.why));
    }
}

impl Desk {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let embedder = Builtin::new();
        let store = Embedded::new(embedder.model(), embedder.dimensions());
        Self {
            folder,
            embedder,
            store,
            told: Told::default(),
        }
    }

    async fn run(&mut self) -> Summary {
        let path = self.folder.path();
        self.told = Told::default();
        let summary = run(
            path,
            None,
            Limits::default(),
            &self.embedder,
            &self.store,
            &mut self.told,
        )
        .await;
        let summary = summary.unwrap();
        assert_eq!(self.told.done, self.told.bytes, "progress ends at its end");
        assert_eq!(self.told.complaints.len(), summary.skipped);
        summary
    }

    /// The ids in the store without the mark of the folder, which differs from run to run.
    async fn ids(&self) -> Vec<String> {
        let hashes = self.store.known_hashes().await.unwrap();
        let mut ids: Vec<_> = hashes.into_keys().map(|id| unmarked(&id)).collect();
        ids.sort_unstable();
        ids
    }

    async fn paper(&self, id: &str) -> Paper {
        let hashes = self.store.known_hashes().await.unwrap();
        let id = hashes.keys().find(|marked| unmarked(marked) == id).unwrap();
        self.store.get(id, Deadline::unbounded()).await.unwrap().unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }
}

fn unmarked(id: &str) -> String {
    match id.split_once('@') {
        Some((name, rest)) => format!(
            "{name}{}",
            rest.trim_start_matches(|c: char| c.is_ascii_hexdigit())
        ),
        None => id.to_owned(),
    }
}

fn line(id: &str) -> String {
    format!(r#"{{"id":"{id}","title":"On {id}","summary":"About {id}."}}"#)
}

fn summary(added: usize, unchanged: usize, skipped: usize) -> Summary {
    Summary {
        added,
        unchanged,
        removed: 0,
        skipped,
    }
}

#[tokio::test]
async fn bad_lines_are_told_by_place_and_the_rest_is_taken() {
    let mut text: Vec<u8> = "\u{feff}".into();
    let huge = line(&"x".repeat(70_000));
    let long_id = line(&"x".repeat(600));
    let (first, last) = (line("first"), line("last"));
    let lines: [&[u8]; 13] = [
        first.as_bytes(),
        b"",
        b"garbage",
        br#"{"title":"No id","summary":"None."}"#,
        br#"{"id":"a","title":" ","summary":"Empty title."}"#,
        br#"{"id":"b","title":"NUL","summary":"a\u0000b"}"#,
        b"{\"id\":\"c\",\"title\":\"Cut \xc3",
        huge.as_bytes(),
        long_id.as_bytes(),
        br#"{"id":"d","title":"Year","summary":"s","year":70000}"#,
        first.as_bytes(),
        br#"{"id":"with abstract","title":"T","abstract":"S","extra":[1]}"#,
        last.as_bytes(),
    ];
    text.extend(lines.join(&b"\r\n"[..]));
    let mut desk = Desk::new(&[("a.jsonl", &text)]);
    assert_eq!(desk.run().await, summary(3, 0, 9));
    assert_eq!(desk.ids().await, ["first", "last", "with abstract"]);
    let told = &desk.told.complaints;
    let starts = [
        "a.jsonl:3: expected value (column 1)",
        "a.jsonl:4: missing field `id`",
        "a.jsonl:5: `title` is empty",
        "a.jsonl:6: holds a NUL",
        "a.jsonl:7: is not UTF-8 from byte 24",
        "a.jsonl:8: is longer than 65536 bytes",
        "a.jsonl:9: `id` is longer than 512 bytes",
        "a.jsonl:10: invalid value: integer `70000`, expected u16",
        "a.jsonl:11: the id \"first\" is taken by",
    ];
    for (told, start) in told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}");
    }
}

#[tokio::test]
async fn a_second_run_changes_nothing_and_a_changed_line_is_replaced() {
    let lines: Vec<_> = (0..100).map(|n| line(&n.to_string())).collect();
    let mut desk = Desk::new(&[("a.jsonl", lines.join("\n").as_bytes())]);
    assert_eq!(desk.run().await, summary(100, 0, 0));
    assert_eq!(desk.run().await, summary(0, 100, 0));
    let changed = lines.join("\n").replace("About 7.", "About seven.");
    fs::write(desk.folder.path().join("a.jsonl"), changed).unwrap();
    assert_eq!(desk.run().await, summary(1, 99, 0));
    let seven = desk.store.get("7", Deadline::unbounded()).await.unwrap().unwrap();
    assert_eq!(seven.summary, "About seven.");
}

#[tokio::test]
async fn nothing_usable_exits_with_2() {
    let mut desk = Desk::new(&[("empty.jsonl", b""), ("blank.md", b" \n\n"), ("bad.jsonl", b"{")]);
    let ended = desk.run().await;
    assert_eq!((ended, ended.exit_code()), (summary(0, 0, 2), 2));
    assert_eq!(summary(0, 1, 9).exit_code(), 0);
}

#[tokio::test]
async fn what_is_no_text_is_told_by_its_line() {
    let mut desk = Desk::new(&[
        ("cut.txt", b"fine\nstill fine \xe2\x82"),
        ("binary.md", b"a\nb\nc\0d"),
        ("good.txt", b"A title\n\nAnd a text."),
    ]);
    assert_eq!(desk.run().await, summary(1, 0, 2));
    assert_eq!(
        desk.told.complaints,
        [
            "binary.md:3: holds a NUL: this is no text",
            "cut.txt:2: is not UTF-8"
        ]
    );
    assert_eq!(desk.paper("good.txt#1").await.title, "A title");
}

#[tokio::test]
async fn a_text_may_be_as_long_as_the_limit_and_no_longer() {
    let desk = Desk::new(&[("a.txt", b"1234"), ("b.txt", b"12345")]);
    let limits = Limits {
        text: 4,
        ..Limits::default()
    };
    let mut told = Told::default();
    let ended = run(
        desk.folder.path(),
        None,
        limits,
        &desk.embedder,
        &desk.store,
        &mut told,
    )
    .await;
    assert_eq!(ended.unwrap(), summary(1, 0, 1));
    assert_eq!(told.complaints, ["b.txt:0: is longer than 4 bytes: split it"]);
}

#[tokio::test]
async fn markdown_becomes_passages_under_its_headings() {
    let long = "A sentence that fills the page. ".repeat(60);
    let text = format!(
        "---\ntitle: x\n---\n# Handbook\r\nIntro.\n\n## Retries\n```sh\n# no heading\n```\n{long}\n## Empty\n\n## End ##\nFin."
    );
    let mut desk = Desk::new(&[
        ("deep/er/book.md", text.as_bytes()),
        (".hidden/a.md", b"# No\nno"),
        ("a.png", b"no"),
    ]);
    assert_eq!(desk.run().await, summary(4, 0, 0));
    let ids = desk.ids().await;
    assert_eq!(ids, [1, 2, 3, 4].map(|n| format!("deep/er/book.md#{n}")));
    let titles = [
        "Handbook",
        "Handbook: Retries",
        "Handbook: Retries",
        "Handbook: End",
    ];
    for (id, title) in (1..).zip(titles) {
        assert_eq!(desk.paper(&format!("deep/er/book.md#{id}")).await.title, title);
    }
    assert!(
        desk.paper("deep/er/book.md#2")
            .await
            .summary
            .contains("# no heading")
    );
}

/// So many passages, each long enough to stand alone.
fn text(passages: usize) -> String {
    let sections = (1..=passages).map(|at| format!("## Part {at}\n\nWhat part {at} says.\n\n"));
    sections.collect()
}

#[tokio::test]
async fn what_a_text_no_longer_has_goes() {
    let mut desk = Desk::new(&[("a.md", text(70).as_bytes()), ("b.md", text(2).as_bytes())]);
    assert_eq!(desk.run().await, summary(72, 0, 0));
    for (a, kept, removed) in [(40, 40, 30), (33, 33, 7), (1, 1, 32)] {
        desk.write("a.md", &text(a));
        let ended = desk.run().await;
        assert_eq!(
            (ended.added, ended.unchanged, ended.removed),
            (0, kept + 2, removed)
        );
        assert_eq!(desk.ids().await.len(), a + 2);
    }
    // A text that cannot be read keeps what it had; one that says nothing any more does not.
    fs::write(desk.folder.path().join("a.md"), b"\xff").unwrap();
    desk.write("b.md", "\n");
    let ended = desk.run().await;
    assert_eq!((ended.removed, ended.skipped, ended.exit_code()), (2, 2, 0));
    assert_eq!(desk.ids().await, ["a.md#1"]);
}

#[tokio::test]
async fn texts_of_one_name_in_folders_of_one_name_are_two() {
    let mut desk = Desk::new(&[("one/docs/a.md", b"First."), ("two/docs/a.md", b"Second.")]);
    let all = desk.folder.path().to_owned();
    for (folder, known_as, expected) in [
        ("one/docs", None, summary(1, 0, 0)),
        ("two/docs", None, summary(1, 0, 0)),
        ("one/docs/a.md", None, summary(0, 1, 0)),
        ("one/docs", Some("docs"), summary(1, 0, 0)),
        ("two/docs", Some("docs"), summary(1, 0, 0)),
        ("two/docs/a.md", Some("docs"), summary(0, 1, 0)),
    ] {
        desk.told = Told::default();
        let path = all.join(folder);
        let ended = run(
            &path,
            known_as,
            Limits::default(),
            &desk.embedder,
            &desk.store,
            &mut desk.told,
        );
        assert_eq!(ended.await.unwrap(), expected, "{folder} {known_as:?}");
    }
    assert_eq!(desk.ids().await, ["a.md#1"; 3]);
}

#[cfg(unix)]
#[tokio::test]
async fn links_to_files_count_and_links_to_folders_may_lead_back() {
    use std::os::unix::fs::symlink;
    let mut desk = Desk::new(&[("texts/a.txt", b"A text.")]);
    let folder = desk.folder.path();
    symlink(folder, folder.join("texts/back")).unwrap();
    symlink(folder.join("texts/a.txt"), folder.join("b.txt")).unwrap();
    symlink(folder.join("nowhere"), folder.join("c.txt")).unwrap();
    assert_eq!(desk.run().await, summary(2, 0, 0));
    assert_eq!(desk.ids().await, ["b.txt#1", "texts/a.txt#1"]);
}

#[tokio::test]
async fn paths_with_nothing_to_read_are_errors() {
    let desk = Desk::new(&[("only.png", b""), ("empty/x.pdf", b"")]);
    for (name, why) in [
        ("missing", "No such file"),
        ("only.png", "only files are read whose names end with"),
        ("empty", "holds no file"),
    ] {
        let path = desk.folder.path().join(name);
        let error = run(
            &path,
            None,
            Limits::default(),
            &desk.embedder,
            &desk.store,
            &mut Told::default(),
        )
        .await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(why) && error.contains(name), "{error}");
    }
}

/// Takes so many batches and no more.
struct Fails {
    store: Embedded,
    left: std::sync::atomic::AtomicUsize,
}

impl Store for Fails {
    fn describe(&self) -> String {
        self.store.describe()
    }

    fn search<'a>(
        &'a self,
        query: &'a [f32],
        limit: usize,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<crate::store::Hit>, StoreError>> {
        self.store.search(query, limit, deadline)
    }

    fn get<'a>(
        &'a self,
        id: &'a str,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Option<Paper>, StoreError>> {
        self.store.get(id, deadline)
    }

    fn known_hashes<'a>(&'a self) -> BoxFuture<'a, Result<HashMap<String, String>, StoreError>> {
        self.store.known_hashes()
    }

    fn exchange<'a>(
        &'a self,
        batch: Vec<(Paper, Vec<f32>)>,
        gone: Vec<String>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        use std::sync::atomic::Ordering::Relaxed;
        let one_less = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Relaxed, Relaxed, one_less) {
            Ok(_) => self.store.exchange(batch, gone),
            Err(_) => std::future::ready(Err(StoreError::Unavailable("gone".into()))).boxed(),
        }
    }

    fn ready<'a>(&'a self) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.ready()
    }
}

#[tokio::test]
async fn an_interrupted_run_is_continued_by_the_next() {
    let lines: Vec<_> = (0..100).map(|n| line(&n.to_string())).collect();
    let mut desk = Desk::new(&[("a.jsonl", lines.join("\n").as_bytes())]);
    let store = Fails {
        store: std::mem::replace(&mut desk.store, Embedded::new("", 0)),
        left: 2.into(),
    };
    let path = desk.folder.path();
    let error = run(
        path,
        None,
        Limits::default(),
        &desk.embedder,
        &store,
        &mut Told::default(),
    )
    .await
    .unwrap_err();
    assert!(matches!(error, IngestError::Store { added: 64, .. }), "{error}");
    desk.store = store.store;
    assert_eq!(desk.run().await, summary(36, 64, 0));
}

/// Answers with a vector less than it was asked for.
struct Short(Builtin);

impl Embedder for Short {
    fn model(&self) -> &str {
        self.0.model()
    }

    fn dimensions(&self) -> usize {
        self.0.dimensions()
    }

    fn embed<'a>(
        &'a self,
        mut texts: Vec<String>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbedError>> {
        texts.pop();
        self.0.embed(texts, deadline)
    }
}

#[tokio::test]
async fn no_paper_gets_the_vector_of_another() {
    let desk = Desk::new(&[]);
    let short = Short(desk.embedder.clone());
    let error = seed(&short, &desk.store).await.unwrap_err();
    assert!(matches!(error, IngestError::Embed { added: 0, .. }), "{error}");
    assert!(desk.ids().await.is_empty());
}
