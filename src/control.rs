//! What an MTA's operator does to hold, slow down and release one source: commands as data (`control/commands.toml`),
//! with the names of a log line filled in. They are printed, never run.

use std::sync::LazyLock;

use serde::Deserialize;

/// The commands of one MTA.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mta {
    /// As the formats name it.
    pub name: String,
    /// What to know before.
    pub note: Option<String>,
    /// In the order to read them.
    #[serde(rename = "command")]
    pub commands: Vec<Command>,
    /// Date of the last check against the sources.
    pub checked: String,
}

/// One command, or line of a configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// What for.
    pub does: Does,
    /// What it does, and to what.
    pub what: String,
    /// With `{names}` to fill in.
    pub line: String,
    /// Where it is documented.
    pub source: String,
}

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Does {
    /// Nothing is tried any more.
    Hold,
    /// Less is tried.
    Slow,
    /// It goes on.
    Release,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mta: Vec<Mta>,
}

/// All of them, in file order.
pub fn all() -> &'static [Mta] {
    static ALL: LazyLock<Vec<Mta>> = LazyLock::new(|| {
        let file: Result<File, _> = toml::from_str(include_str!("control/commands.toml"));
        // A file of the program: a test reads it.
        file.unwrap_or_else(|error| panic!("src/control/commands.toml: {error}")).mta
    });
    &ALL
}

/// Those of an MTA.
pub fn of(name: &str) -> Option<&'static Mta> {
    all().iter().find(|mta| mta.name == name)
}

/// The names of what is to be held, as a log line tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// What the MTA calls the source.
    pub source: Option<String>,
    /// The address that it sends from.
    pub ip: Option<String>,
    /// The recipients' domain.
    pub domain: Option<String>,
    /// The message.
    pub queue_id: Option<String>,
}

impl Names {
    /// The line with the names in it. One that is unknown or not harmless is written in capitals, for the user to fill in.
    pub fn fill(&self, line: &str) -> String {
        let names = [
            ("{source}", &self.source, "SOURCE"),
            ("{ip}", &self.ip, "IP"),
            ("{domain}", &self.domain, "DOMAIN"),
            ("{queue_id}", &self.queue_id, "QUEUE-ID"),
        ];
        let mut filled = String::with_capacity(line.len() + 32);
        let mut rest = line;
        // In one pass: what was put in is not looked at again.
        while let Some(open) = rest.find('{') {
            filled.push_str(&rest[..open]);
            rest = &rest[open..];
            match names.iter().find(|(name, ..)| rest.starts_with(name)) {
                Some((name, value, capitals)) => {
                    filled.push_str(value.as_deref().filter(|value| is_harmless(value)).unwrap_or(capitals));
                    rest = &rest[name.len()..];
                }
                None => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled.push_str(rest);
        filled
    }
}

/// Whether a shell, an option parser or a configuration file can take the name for nothing else than a name: the log line
/// is hostile. It is then the same with quotes and without.
fn is_harmless(name: &str) -> bool {
    let known =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'@' | b':' | b'+' | b'-');
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    // An IPv6 address may begin with colons.
    let first = first || name.starts_with("::");
    first && name.len() <= 255 && name.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_sound() {
        for mta in all() {
            assert_eq!(all().iter().filter(|other| other.name == mta.name).count(), 1, "{}", mta.name);
            assert!(mta.checked.parse::<jiff::civil::Date>().is_ok(), "{}", mta.name);
            assert!(mta.commands.iter().any(|command| command.does == Does::Hold), "{}", mta.name);
            for command in &mta.commands {
                assert!(!command.line.contains('\n') && !command.source.is_empty(), "{}", command.line);
                // No name of a placeholder is mistyped.
                let bare = Names::default().fill(&command.line);
                let braces = bare.matches('{').count();
                assert!(braces == 0 || bare.contains("maxConnections"), "{bare}");
            }
        }
        for name in ["postfix", "exim", "powermta", "kumomta", "sendmail", "opensmtpd", "haraka", "exchange"]
        {
            assert!(of(name).is_some(), "{name}");
        }
    }

    #[test]
    fn names_are_filled_in_where_they_are_harmless() {
        let names = Names {
            source: Some("pmta-out1".into()),
            ip: Some("2001:db8::17".into()),
            domain: Some("hotmail.com".into()),
            queue_id: None,
        };
        assert_eq!(
            names.fill("pmta disable source {ip} {domain}/{source} {queue_id} { a: '{ip}' }"),
            "pmta disable source 2001:db8::17 hotmail.com/pmta-out1 QUEUE-ID { a: '2001:db8::17' }"
        );
        for hostile in [
            "a;rm -rf /",
            "$(x)",
            "`x`",
            "a b",
            "a'b",
            "a\"b",
            "a\nb",
            "-Mrm",
            "--all",
            "{ip}",
            "",
            "ä",
            "a|b",
            "a*",
        ] {
            let names = Names { source: Some(hostile.into()), ..Names::default() };
            assert_eq!(names.fill("hold {source}"), "hold SOURCE", "{hostile}");
        }
    }
}
