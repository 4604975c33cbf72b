//! HTTP: events and messages to core::accept
