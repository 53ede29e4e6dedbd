//! Whose request is it: JSON-RPC id, method and target, read out of a body as it flows.
//!
//! # What it is for
//! A request that must be refused, or a stream that must be cut, ends cleanly only if the client is told so with
//! its request's own id: with `id: null` some clients wait for ever. The id is in the body, and the body belongs
//! to the handler. So a [`Scanner`] looks on while the bytes flow, in whatever pieces they come, keeps none of
//! them but the few that it was made for, and says at the end which [`Message`] it saw.
//!
//! - On the body of a request: which call is it (id, method, tool, progress token), and is it exactly one?
//! - On the `data` of an outgoing event: was it the final [`Response`](Kind::Response)? Feed the lines with `\n`
//!   between them, ask [`Scanner::kind`], then [`Scanner::reset`]: a scanner that is used again allocates nothing.
//!
//! [`error_message`] writes the JSON-RPC error for an [`Id`], and [`CallSlot`] carries what was learnt through a
//! request's extensions.
//!
//! ```
//! use tower_lifeline::rpc::{Kind, Scanner, error_message};
//!
//! let mut scanner = Scanner::new();
//! scanner.feed(br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","par"#);
//! scanner.feed(br#"ams":{"name":"search","_meta":{"progressToken":"p1"}}}"#);
//!
//! let call = scanner.finish().ok_or("not one JSON-RPC message")?;
//! assert_eq!(call.kind(), Kind::Request);
//! assert_eq!(call.tool(), Some("search"));
//!
//! let id = call.id().ok_or("a request has an id")?;
//! assert_eq!(
//!     error_message(id, -32000, "too busy", None),
//!     r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"too busy"}}"#,
//! );
//! # Ok::<(), &str>(())
//! ```
//!
//! # What it accepts
//! One JSON text by the grammar of RFC 8259, as `serde_json` accepts it from bytes: valid UTF-8, paired surrogates,
//! at most 127 levels, nothing but whitespace around it, no byte order mark. A number's *range* is not grammar: `1e999`
//! passes here, while `serde_json` refuses it unless built with arbitrary precision.
//!
//! That text must be one JSON-RPC 2.0 object. Only the outermost object counts, and in it these keys, in any order
//! and also when they are written with escapes:
//!
//! | key | must be | else |
//! |---|---|---|
//! | `jsonrpc` | the string `2.0` | no message |
//! | `id` | a string or a number | no message; MCP forbids `null`, and absent it is no request |
//! | `method` | a string | no message |
//! | `params` | an object (an array or `null` pass, and name nothing) | no message |
//! | `params.name` for `tools/call` and `prompts/get`, `params.uri` for `resources/read` | a string | no target |
//! | `params._meta.progressToken` | a string or a number | no token |
//! | `result`, `error` | there, without a `method` | with a `method`: no message |
//!
//! A `result` needs an id; an `error` may lack it, when the server could not read one. A key of this table that comes
//! twice makes two readers see two requests, hence no message; only `result` and `error` may repeat, for
//! it is an answer either way, and so may a target's key where the method has no such target. A batch is no message.
//!
//! # Bounds
//! | bound | value | why |
//! |---|---|---|
//! | bytes looked at | [`MAX_SCAN`], or [`Scanner::with_max_scan`] | what is longer is refused by the handler anyway; the work is linear in it |
//! | `id`, token | [`MAX_TEXT`] bytes of JSON, quotes included | longer: no message (id), no token |
//! | `method`, target | [`MAX_TEXT`] bytes, decoded | longer: no message (method), no target |
//! | memory | about 200 bytes, and one buffer under 3 KiB once something was caught | a body of 4 MiB costs no more than one of 100 bytes |

mod fields;
mod grammar;
mod key;
mod listen;
mod mcp;
mod message;
mod number;
mod scanner;
mod slot;
mod text;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use self::fields::MAX_TEXT;
pub use self::message::{Id, Kind, Message, error_message};
pub use self::scanner::{MAX_SCAN, Scanner};
pub use self::slot::CallSlot;

pub(crate) use self::mcp::{SUBSCRIPTIONS_LISTEN, can_resume, header_method, is_mcp};
