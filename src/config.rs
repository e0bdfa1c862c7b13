//! The config file -> plain values.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::microsoft::rules::Rule;

/// What the file may hold; every table is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// As `--source-map`: a name and the address that it stands for.
    pub sources: BTreeMap<String, IpAddr>,
    pub detect: Detect,
    pub view: View,
    /// The user's own replies.
    pub reply: Vec<Rule>,
}

/// `[detect]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Detect {
    /// False alarms a source may give a day.
    pub false_alarms_a_day: Option<f64>,
    /// The smallest share of refusals that matters.
    pub smallest_share: Option<f64>,
    /// How long mail must be accepted until a block is over.
    pub clear_after_minutes: Option<f64>,
}

impl Detect {
    /// Every number within its bounds.
    fn check(&self) -> Result<(), BadConfig> {
        let bounds = [
            ("false_alarms_a_day", self.false_alarms_a_day, 0.000_1, 1.0),
            ("smallest_share", self.smallest_share, 0.08, 0.9),
            ("clear_after_minutes", self.clear_after_minutes, 1.0, 1440.0),
        ];
        for (name, value, least, most) in bounds {
            if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
                return Err(BadConfig::Bounds { name, value, least, most });
            }
        }
        Ok(())
    }
}

/// `[view]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct View {
    /// dark, light, ansi, mono
    pub theme: Option<String>,
    /// Action and its keys: `messages = "M F9"`. None at all: `""`.
    pub keys: BTreeMap<String, String>,
    /// Ring where a block begins or clears.
    pub bell: bool,
}

/// Why a config file cannot be used; the text says where in it.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("{0}")]
    Parse(#[from] toml::de::Error),
    #[error("[detect] {name} = {value}: must be from {least} to {most} (leave the line out for the default)")]
    Bounds { name: &'static str, value: f64, least: f64, most: f64 },
}

impl Config {
    /// The named file, else the one in its usual place, else nothing set.
    pub fn load(named: Option<&Path>) -> Result<Self, (PathBuf, BadConfig)> {
        let usual = usual_place();
        let Some(path) = named.map(Path::to_owned).or_else(|| usual.filter(|p| p.is_file())) else {
            return Ok(Self::default());
        };
        let read = || {
            let config: Self = toml::from_str(&fs::read_to_string(&path)?)?;
            config.detect.check()?;
            Ok(config)
        };
        read().map_err(|error| (path.clone(), error))
    }
}

fn usual_place() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(folder.join("eopwatch/config.toml"))
}
