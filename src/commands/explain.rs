//! `eopwatch explain`

use std::io::{self, Read};
use std::net::IpAddr;

use crate::cli::{ExplainArgs, ExplainFormat, ReadArgs};
use crate::control::{self, Names};
use crate::engine::{self, Event, Run};
use crate::export;
use crate::export::explain::Aside;
use crate::microsoft::explain::Explanation;
use crate::microsoft::{self, Unknown};
use crate::record::{self, Answer, Clock, Outcome, Record, Zone};
use crate::text::{escape_controls, mask};

use super::options::{config, load, options};
use super::output::{self, Failure};
use super::rules;

/// Columns of the text: fits a terminal, and a mail.
const WIDTH: usize = 96;
/// Of what is pasted, so much is looked at as a log. Bytes.
const LOOKED_AT: usize = 64 << 10;

/// Says what a code, tag or reply means; status 1 where nothing is known.
pub fn run(args: &ExplainArgs) -> Result<u8, Failure> {
    if let Some(file) = &args.check {
        return rules::check(file, args.format);
    }
    if let Some(topic) = &args.guide {
        return guide(topic, args.format);
    }
    if !args.unknown.is_empty() {
        return unknown(args);
    }
    load(args.config.as_deref(), args.rules.as_deref())?;
    if args.list {
        return list(args.format);
    }
    let input = match args.input.as_slice() {
        [dash] if dash == "-" => {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes)?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        words => words.join(" "),
    };
    let line = pasted(&input, args.mta.as_deref());
    // Of several lines of a log, the one that was refused.
    let several = input.trim().contains('\n');
    let mut explanation = match line.as_ref().and_then(|line| line.reply.as_deref()).filter(|_| several) {
        Some(reply) => microsoft::explain_reply(&input, reply),
        None => microsoft::explain(&input),
    };
    let mut aside = aside(line, &explanation, args.mta.as_deref())?;
    if args.mask {
        // What was pasted, not the program's own words: the addresses of forms are needed whole.
        explanation.input = mask(&explanation.input);
        explanation.reply = explanation.reply.as_deref().map(mask);
        if let Some((_, names)) = &mut aside.commands {
            for name in [&mut names.source, &mut names.queue_id] {
                *name = name.as_deref().map(mask);
            }
        }
    }
    let text = match args.format {
        ExplainFormat::Text => export::explain::text(&explanation, &aside, WIDTH),
        ExplainFormat::Markdown => export::explain::markdown(&explanation, &aside),
        ExplainFormat::Json => export::explain::json(&explanation).map_err(io::Error::from)?,
    };
    output::print(text.as_bytes())?;
    Ok(u8::from(explanation.matches.is_empty()))
}

fn list(format: ExplainFormat) -> Result<u8, Failure> {
    let text = match format {
        ExplainFormat::Text => export::explain::list_text(),
        ExplainFormat::Markdown => export::explain::list_markdown(),
        ExplainFormat::Json => export::explain::list_json().map_err(io::Error::from)?,
    };
    output::print(text.as_bytes())?;
    Ok(0)
}

/// One guide, or what guides there are.
fn guide(topic: &str, format: ExplainFormat) -> Result<u8, Failure> {
    let all = microsoft::guides();
    let text = if topic == "list" {
        match format {
            ExplainFormat::Text => export::guides::list_text(all),
            ExplainFormat::Markdown => export::guides::list_markdown(all),
            ExplainFormat::Json => export::guides::json(all.iter().collect()).map_err(io::Error::from)?,
        }
    } else {
        let guide = all.iter().find(|guide| guide.id.eq_ignore_ascii_case(topic)).ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|guide| guide.id.as_str()).collect();
            let topic = escape_controls(topic.as_bytes());
            Failure::Usage(format!("--guide {topic}: no such topic (one of {})", known.join(", ")))
        })?;
        match format {
            ExplainFormat::Text => export::guides::text(guide, WIDTH),
            ExplainFormat::Markdown => export::guides::markdown(guide),
            ExplainFormat::Json => export::guides::json(vec![guide]).map_err(io::Error::from)?,
        }
    };
    output::print(text.as_bytes())?;
    Ok(0)
}

/// The commands for the MTA that was named, or that wrote the pasted line where it tells of a block or a throttle.
fn aside(line: Option<Pasted>, explanation: &Explanation, wanted: Option<&str>) -> Result<Aside, Failure> {
    let Some(found) = explanation.matches.first() else { return Ok(Aside::default()) };
    let commands = match (wanted, &line) {
        (Some(name), _) => Some(control::of(name).ok_or_else(|| {
            let known: Vec<&str> = control::all().iter().map(|mta| mta.name.as_str()).collect();
            let name = escape_controls(name.as_bytes());
            Failure::Usage(format!(
                "--mta {name}: no commands are known for it (known: {})",
                known.join(", ")
            ))
        })?),
        (None, Some(line)) if found.is_block || found.class.is_throttle() => control::of(line.mta),
        (None, _) => None,
    };
    let logged_ip = line.as_ref().and_then(|line| line.ip);
    let mut names = line.map(|line| line.names).unwrap_or_default();
    if names.ip.is_none() {
        names.ip = found.ips.first().map(ToString::to_string);
    }
    Ok(Aside { commands: commands.map(|mta| (mta, names)), logged_ip })
}

/// What a pasted log line tells.
struct Pasted {
    mta: &'static str,
    ip: Option<IpAddr>,
    names: Names,
    /// What was answered, if it was refused.
    reply: Option<String>,
}

/// The refused attempt in what was pasted, if it is of a log.
fn pasted(input: &str, wanted: Option<&str>) -> Option<Pasted> {
    let head = &input.as_bytes()[..input.len().min(LOOKED_AT)];
    let format = match wanted {
        Some(name) => record::by_name_for(name, head)?,
        None => record::guess(head)?,
    };
    // No stamp of it is shown.
    let mut reader = format.reader(&Clock { zone: Zone::Fixed(0), year: 2026 });
    let mut found: Option<(bool, Pasted)> = None;
    let mut take = |_, record: Record<'_>| {
        let (Record::Attempt(attempt) | Record::Retold(attempt)) = record else { return };
        let refused = attempt.outcome != Outcome::Delivered;
        if found.as_ref().is_some_and(|(known, _)| *known || !refused) {
            return;
        }
        let name = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
        let names = Names {
            source: name(attempt.source_name),
            ip: attempt.source_ip.map(|ip| ip.to_string()),
            domain: name(attempt.recipient_domain()).map(|domain| domain.to_ascii_lowercase()),
            // A message that was given up is in no queue any more.
            queue_id: name(attempt.queue_id.filter(|_| attempt.outcome == Outcome::Deferred)),
        };
        let reply = match attempt.answer {
            Answer::Text(reply) if refused => name(Some(reply)),
            _ => None,
        };
        found = Some((refused, Pasted { mta: attempt.mta.0, ip: attempt.source_ip, names, reply }));
    };
    let mut offset = 0;
    for line in head.split(|byte| *byte == b'\n') {
        let bytes = line.strip_suffix(b"\r").unwrap_or(line);
        reader.line(record::Line { bytes, offset }, &mut take);
        offset += line.len() as u64 + 1;
    }
    reader.finish(&mut take);
    found.map(|(_, pasted)| pasted)
}

/// `explain --unknown`: rules for what the catalogue does not know.
fn unknown(args: &ExplainArgs) -> Result<u8, Failure> {
    if args.format != ExplainFormat::Text {
        let text = "--unknown prints a rules file (TOML): --format does not go with it";
        return Err(Failure::Usage(text.to_owned()));
    }
    let read = ReadArgs {
        paths: args.unknown.clone(),
        mta: args.mta.clone(),
        rules: args.rules.clone(),
        config: args.config.clone(),
        ..ReadArgs::default()
    };
    let mut options = options(&read, &config(&read)?, false)?;
    options.look_twice = true;
    let run = Run::new(options, false);
    let snapshot = run.batch();
    let mut unknown = Unknown::default();
    engine::events(&run, false, |event: Event| -> io::Result<()> {
        if event.reply_id.as_deref().is_some_and(|id| id.starts_with("unknown")) {
            let enhanced = event
                .enhanced_code
                .as_deref()
                .and_then(|code| record::Enhanced::at_start(code.as_bytes()))
                .map(|(code, _)| code);
            unknown.add(event.smtp_code, enhanced, event.reply.as_deref(), event.outcome, event.time);
        }
        Ok(())
    })?;
    output::print(unknown.rules().as_bytes())?;
    Ok(output::status(&snapshot, &read))
}
