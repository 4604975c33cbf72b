//! The stores on one DynamoDB table.

mod audit;
mod clients;
mod composing;
mod deliveries;
mod digests;
mod due;
mod entries;
mod events;
mod formers;
mod hooks;
pub(crate) mod keys;
mod ledger;
mod pace;
mod pages;
mod records;
mod registrations;
mod seen;
pub(crate) mod table;
mod tasks;
mod tenants;
mod tokens;
mod vapid;

pub(crate) use ledger::Claims;
pub(crate) use seen::Seen;
pub(crate) use table::Table;
