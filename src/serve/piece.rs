//! A frame of an answer, or as much of it as a stream is given at a time.

use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// What hyper is given of a frame.
#[derive(Debug)]
pub(super) enum Piece<D> {
    Whole(D),
    Part(Bytes),
}

/// As much as one frame of HTTP/2 holds unless its peer allows more.
pub(super) const PIECE: usize = 16 * 1024;

// === impl Piece ===

impl<D: Buf> Piece<D> {
    /// The first piece of `data`, and what is left of it.
    pub(super) fn first_of(mut data: D) -> (Self, Option<D>) {
        if data.remaining() <= PIECE {
            return (Self::Whole(data), None);
        }
        let part = data.copy_to_bytes(PIECE);
        (Self::Part(part), Some(data))
    }
}

impl<D: Buf> Buf for Piece<D> {
    fn remaining(&self) -> usize {
        match self {
            Self::Whole(data) => data.remaining(),
            Self::Part(bytes) => bytes.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Whole(data) => data.chunk(),
            Self::Part(bytes) => bytes.chunk(),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Whole(data) => data.advance(count),
            Self::Part(bytes) => bytes.advance(count),
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        match self {
            Self::Whole(data) => data.chunks_vectored(slices),
            Self::Part(bytes) => bytes.chunks_vectored(slices),
        }
    }

    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        match self {
            Self::Whole(data) => data.copy_to_bytes(count),
            Self::Part(bytes) => bytes.copy_to_bytes(count),
        }
    }
}
