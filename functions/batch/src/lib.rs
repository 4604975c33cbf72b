//! Tick to core::tick
