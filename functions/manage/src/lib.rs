//! HTTP: registrations, deliveries, keys, account, channels
