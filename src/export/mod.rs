//! Snapshot -> bytes. One file a kind of output; knows neither files nor formats of logs.

pub mod bounce_rules;
pub mod csv;
pub mod events;
pub mod evidence;
pub mod explain;
pub mod guides;
pub mod json;
pub mod page;
pub mod text;
