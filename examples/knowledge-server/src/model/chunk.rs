//! What one event of a chat says.

use eventsource_stream::Event;
use serde::Deserialize;

use super::error::ModelError;
use super::upstream::complaint;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// What it adds to the answer.
    pub(super) text: String,
    /// It adds to what the model thinks, which is not shown.
    pub(super) is_thought: bool,
    /// The answer is complete.
    pub(super) is_end: bool,
}

#[derive(Debug, Deserialize)]
struct Chunk {
    error: Option<serde_json::Value>,
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    delta: Option<Said>,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Said {
    content: Option<String>,
    #[serde(alias = "reasoning")]
    reasoning_content: Option<String>,
}

const CUT: &str = " [the model stopped at its greatest length]";

// === impl Piece ===

impl Piece {
    /// Whether the model has moved on.
    pub(super) fn counts(&self) -> bool {
        !self.text.is_empty() || self.is_thought || self.is_end
    }
}

/// Reads an event.
pub(super) fn read(event: &Event) -> Result<Piece, ModelError> {
    if event.data == "[DONE]" {
        return Ok(Piece {
            is_end: true,
            ..Piece::default()
        });
    }
    if event.event == "error" {
        return Err(ModelError::Reported(complaint(event.data.as_bytes())));
    }
    let chunk: Chunk = serde_json::from_str(&event.data).map_err(|_| {
        let begins: String = event.data.chars().take(60).collect();
        ModelError::Garbage(format!("an event says {begins:?}"))
    })?;
    if chunk.error.is_some() {
        return Err(ModelError::Reported(complaint(event.data.as_bytes())));
    }
    let mut piece = Piece::default();
    let Some(choice) = chunk.choices.into_iter().next() else {
        return Ok(piece);
    };
    if let Some(said) = choice.delta {
        piece.text = said.content.unwrap_or_default();
        piece.is_thought = said.reasoning_content.is_some_and(|thought| !thought.is_empty());
    }
    match choice.finish_reason.as_deref() {
        None | Some("") => (),
        Some("content_filter") => return Err(ModelError::Reported("a filter stopped its answer".into())),
        Some(reason) => {
            piece.is_end = true;
            if reason == "length" {
                piece.text.push_str(CUT);
            }
        }
    }
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(data: &str) -> Result<Piece, ModelError> {
        read(&Event {
            data: data.to_owned(),
            ..Event::default()
        })
    }

    #[test]
    fn events_of_several_servers_are_understood() {
        let text =
            reads(r#"{"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}"#).unwrap();
        assert_eq!((text.text.as_str(), text.is_end), ("word ", false));
        for nothing in [
            r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#,
            r#"{"choices":[{"delta":{"content":""}}]}"#,
            r#"{"choices":[],"usage":{"total_tokens":3}}"#,
            r#"{"usage":null}"#,
        ] {
            assert!(!reads(nothing).unwrap().counts(), "{nothing}");
        }
        for thought in ["reasoning", "reasoning_content"] {
            let piece = reads(&format!(r#"{{"choices":[{{"delta":{{"{thought}":"hm"}}}}]}}"#)).unwrap();
            assert!(piece.is_thought && piece.text.is_empty(), "{thought}");
        }
        assert!(reads("[DONE]").unwrap().is_end);
        assert!(
            reads(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#)
                .unwrap()
                .is_end
        );
        let cut = reads(r#"{"choices":[{"delta":{"content":"and"},"finish_reason":"length"}]}"#).unwrap();
        assert!(cut.is_end && cut.text.ends_with(CUT));
    }

    #[test]
    fn errors_are_told_apart() {
        for error in [
            r#"{"error":{"message":"out of memory","code":500}}"#,
            r#"{"error":"out of memory"}"#,
        ] {
            assert_eq!(reads(error), Err(ModelError::Reported("out of memory".into())));
        }
        for garbage in ["", "<html>", "{", "[]", r#"{"choices":3}"#] {
            assert!(matches!(reads(garbage), Err(ModelError::Garbage(_))), "{garbage}");
        }
    }
}
