//! Queue to core::deliver
