//! Scripts of looks, and a model of them.
