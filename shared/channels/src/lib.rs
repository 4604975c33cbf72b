//! How each provider wants it said: one file per channel, pure
