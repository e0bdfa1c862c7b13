//! What can be typed; the man page and the completions come from here too.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::export::bounce_rules::{Part, Target};
use crate::source::MmapChoice;

/// Tells what Microsoft refuses of your mail, since when, how sure, and what to do, from the logs of your MTA.
///
/// Without a command the interactive view opens; where stdout is no terminal, the summary is printed.
#[derive(Debug, Parser)]
#[command(name = "eopwatch", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub view: ViewArgs,
}

/// The interactive view.
#[derive(Debug, Args)]
pub struct ViewArgs {
    /// Go on with what is written later, also across log rotation
    #[arg(short, long)]
    pub follow: bool,
    #[command(flatten)]
    pub read: ReadArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// One shot: what is blocked and throttled, by source, domain, datacenter and reply
    Summary(SummaryArgs),
    /// Every Microsoft-bound attempt, normalised, one line each
    Events(EventsArgs),
    /// The block and throttle events alone
    Onsets(OnsetsArgs),
    /// The pack that a delist request needs: what Microsoft refused of one sending IP, with the lines to look up
    Evidence(EvidenceArgs),
    /// Live, no screen: a line for each block that begins, changes or clears
    Tail(TailArgs),
    /// What a reply means: root cause, next steps, forms, and your MTA's commands (none of them is run)
    Explain(ExplainArgs),
    /// The catalogue as an MTA's own bounce classes, back-off patterns or reply filters, ready to paste
    Rules(RulesArgs),
    /// The interactive view on a built-in story: a block begins, is worked on, and clears; with captions that teach the keys
    Demo(DemoArgs),
    /// Completions for a shell, on stdout
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
    /// The man page, on stdout
    Man,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// So many times as fast as a day in two minutes
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Settings, of which theme, bell and keys are used (default: eopwatch/config.toml in the configuration folder)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// When to use colour
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.1..=1000.0).contains(speed));
    speed.ok_or_else(|| "a number from 0.1 to 1000".to_owned())
}

/// What the reports share.
#[derive(Debug, Args)]
pub struct OutArgs {
    /// Write to this file (atomically) and not to stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print nothing where nothing of this kind is active at the end
    #[arg(long, value_enum, value_name = "WHAT")]
    pub only_if: Option<Active>,
}

#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: SummaryFormat,
    #[command(flatten)]
    pub out: OutArgs,
    #[command(flatten)]
    pub read: ReadArgs,
}

#[derive(Debug, Args)]
pub struct EventsArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: EventsFormat,
    /// Attempts to other providers too
    #[arg(long)]
    pub all: bool,
    /// Write to this file (atomically) and not to stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub read: ReadArgs,
}

#[derive(Debug, Args)]
pub struct OnsetsArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: OnsetsFormat,
    #[command(flatten)]
    pub out: OutArgs,
    /// Show the arithmetic of one event instead: its number in the list, from 1, or its id
    #[arg(long, value_name = "N", conflicts_with_all = ["format", "only_if"])]
    pub explain_onset: Option<String>,
    #[command(flatten)]
    pub read: ReadArgs,
}

#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// The sending IP that it is about
    #[arg(long, value_name = "IP", value_parser = address, conflicts_with = "source")]
    pub ip: IpAddr,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: EvidenceFormat,
    #[command(flatten)]
    pub out: OutArgs,
    #[command(flatten)]
    pub read: ReadArgs,
}

fn address(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address =
        bare.parse::<IpAddr>().map_err(|_| "one IP address (192.0.2.25, 2001:db8::25)".to_owned())?;
    Ok(address.to_canonical())
}

#[derive(Debug, Args)]
pub struct TailArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TailFormat,
    #[command(flatten)]
    pub read: ReadArgs,
}

/// One of: a reply to explain, the catalogue, a guide, replies that are not known, a rules file to try.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("asked").required(true).args(["input", "list", "check", "guide", "unknown"]))]
pub struct ExplainArgs {
    /// A code (5.7.1), a tag (S3140), a reply, a log line or a bounce; `-` reads it from stdin
    #[arg(num_args = 1.., value_name = "CODE-OR-REPLY")]
    pub input: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: ExplainFormat,
    /// Print the whole catalogue, a line each
    #[arg(long)]
    pub list: bool,
    /// How to do one part of the work: snds, traps, delisting, jmrp, authentication, ramp, trade-show-list; `list` or
    /// nothing lists them
    #[arg(long, value_name = "TOPIC", num_args = 0..=1, default_missing_value = "list")]
    pub guide: Option<String>,
    /// Read logs and print what the catalogue does not know, masked and counted, as rules to complete or to send in
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub unknown: Vec<PathBuf>,
    /// Try a file of your own replies on its examples, and say what they hide
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// The MTA whose commands to print (default: that of the pasted log line), and the format of logs to read
    #[arg(long, value_name = "NAME", conflicts_with_all = ["list", "check", "guide"])]
    pub mta: Option<String>,
    /// Your own replies, before the built-in ones
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Settings (default: eopwatch/config.toml in the configuration folder)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Show no local parts of addresses anywhere
    #[arg(long)]
    pub mask: bool,
    /// When to use colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
}

#[derive(Debug, Args)]
pub struct RulesArgs {
    /// The MTA that is to use them
    #[arg(long = "for", value_enum, value_name = "MTA")]
    pub target: Target,
    /// One part only, without the others (KumoMTA wants a file of each): classes sorts replies, backoff reacts to them
    #[arg(long, value_enum, value_name = "PART")]
    pub part: Option<Part>,
    /// Write to this file (atomically) and not to stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Your own replies, before the built-in ones
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Settings (default: eopwatch/config.toml in the configuration folder)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Inputs and filters, the same for every command that reads logs.
#[derive(Debug, Default, Args)]
pub struct ReadArgs {
    /// Files, folders, or `-` for stdin; without any, the usual places under /var/log
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Only attempts from here on: RFC 3339, `2026-05-10 13:00`, `2h`, `3d`, `today`, `yesterday`
    #[arg(long, value_name = "TIME", help_heading = "Filters")]
    pub since: Option<String>,
    /// Only attempts up to here
    #[arg(long, value_name = "TIME", help_heading = "Filters")]
    pub until: Option<String>,
    /// Sending IP or name (glob; `!` negates; repeatable, as all filters)
    #[arg(long, value_name = "GLOB", help_heading = "Filters")]
    pub source: Vec<String>,
    /// Recipient domain
    #[arg(long, value_name = "GLOB", help_heading = "Filters")]
    pub domain: Vec<String>,
    /// Domain of the envelope sender
    #[arg(long, value_name = "GLOB", help_heading = "Filters")]
    pub sender_domain: Vec<String>,
    /// Datacenter: host, site or forest
    #[arg(long, value_name = "GLOB", help_heading = "Filters")]
    pub datacenter: Vec<String>,
    /// consumer, m365, gov, china, unknown
    #[arg(long, value_name = "GLOB", help_heading = "Filters")]
    pub platform: Vec<String>,
    /// Reply id or code
    #[arg(long, value_name = "GLOB", help_heading = "Filters")]
    pub reply: Vec<String>,
    /// Class of reply (ip-block, ip-rate, recipient, …)
    #[arg(long, value_name = "GLOB", help_heading = "Filters")]
    pub class: Vec<String>,
    /// delivered, deferred, bounced
    #[arg(long, value_name = "GLOB", help_heading = "Filters")]
    pub outcome: Vec<String>,

    /// Show no local parts of addresses anywhere
    #[arg(long, help_heading = "Reading")]
    pub mask: bool,
    /// The format of all inputs, instead of what their content tells (`list` shows the formats)
    #[arg(long, value_name = "NAME", help_heading = "Reading")]
    pub mta: Option<String>,
    /// Table of names and the IPs that they stand for: `NAME IP` or `HOST NAME IP` a line
    #[arg(long, value_name = "FILE", help_heading = "Reading")]
    pub source_map: Option<PathBuf>,
    /// Your own replies, before the built-in ones: `[[reply]]` tables (`explain --check` tries them)
    #[arg(long, value_name = "FILE", help_heading = "Reading")]
    pub rules: Option<PathBuf>,
    /// Zone of stamps without one (default: what Microsoft's own stamps tell, else the machine's)
    #[arg(long, value_name = "ZONE", help_heading = "Reading")]
    pub timezone: Option<String>,
    /// Year of the newest line, for stamps without one
    #[arg(long, value_name = "YEAR", help_heading = "Reading", value_parser = value_parser!(i64).range(1970..=2105))]
    pub year: Option<i64>,
    /// Threads (default: one a processor)
    #[arg(long, value_name = "N", help_heading = "Reading")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Map plain files into memory: auto maps those that nobody has written to for a while
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "Reading")]
    pub mmap: MmapChoice,
    /// Looks at every line: slow, and to the same result
    #[arg(long, hide = true)]
    pub no_prefilter: bool,
    /// Settings (default: eopwatch/config.toml in the configuration folder)
    #[arg(long, value_name = "FILE", help_heading = "Reading")]
    pub config: Option<PathBuf>,

    /// End with status 1 where something of this kind is active at the end
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Output")]
    pub fail_on: Option<Active>,
    /// When to use colour
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "Output")]
    pub color: Color,
    /// No warnings on stderr, errors only
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
    /// More on stderr: what was passed over and why
    #[arg(short, long, help_heading = "Output")]
    pub verbose: bool,
}

/// What `--fail-on` and `--only-if` look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Active {
    Blocked,
    Throttled,
    Any,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EventsFormat {
    #[default]
    Ndjson,
    Csv,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnsetsFormat {
    #[default]
    Text,
    Json,
    Ndjson,
    Csv,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EvidenceFormat {
    #[default]
    Markdown,
    Html,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TailFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    #[default]
    Text,
    Json,
    Markdown,
}
