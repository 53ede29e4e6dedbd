//! What the grammar tells while it reads.

/// Hears what the grammar recognises, in the order of the text.
pub(super) trait Listen {
    /// A container starts; `depth` counts it, so the outermost has 1.
    fn open(&mut self, container: Container, depth: u8);
    /// The container at `depth` ends.
    fn close(&mut self, depth: u8);
    /// A key starts in the object at `depth`.
    fn key(&mut self, depth: u8);
    /// A value that is no container starts in the container at `depth`.
    fn scalar(&mut self, scalar: Scalar, depth: u8);
    /// More of the key's or scalar's JSON text, quotes and escapes as they were written.
    fn raw(&mut self, json: &[u8]);
    /// More of a string's decoded text.
    fn decoded(&mut self, text: &[u8]);
    /// The key or scalar is whole.
    fn end(&mut self);
}

/// What holds other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Object,
    Array,
}

/// What holds none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Number,
    Bool,
    Null,
}

// === impl Listen ===

/// Hears nothing, for a text of which only its validity matters.
impl Listen for () {
    fn open(&mut self, _: Container, _: u8) {}
    fn close(&mut self, _: u8) {}
    fn key(&mut self, _: u8) {}
    fn scalar(&mut self, _: Scalar, _: u8) {}
    fn raw(&mut self, _: &[u8]) {}
    fn decoded(&mut self, _: &[u8]) {}
    fn end(&mut self) {}
}
