//! Whose host it is: relay names, addresses, host tags in replies, data centers.
//!
//! [`relay`] and [`bound`] run on every delivery line: no allocation, a few comparisons of a name's end.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::memmem;
use serde::Deserialize;

use super::verdict::codes_and_length;
use super::{Platform, codes, data};
use crate::record::Answer;
use crate::text::near;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    submission: Vec<String>,
    outbound: Vec<String>,
    consumer_names: Vec<String>,
    consumer_domains: Vec<String>,
    tag_suffixes: Vec<String>,
    hotmail_sites: Vec<String>,
    eop_ranges: Vec<String>,
    quoted_ip_phrases: Vec<String>,
    needles: Vec<String>,
    relay: Vec<RelayRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RelayRule {
    suffix: String,
    platform: Platform,
}

/// What the end of a host's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Microsoft(Platform),
    Submission,
    Outbound,
    Other,
}

/// A host's name, or the end of one, with its last four bytes for a quick look.
struct Ending {
    tail: u32,
    text: Box<[u8]>,
    whole: bool,
    name: Name,
}

struct Hosts {
    file: File,
    endings: Vec<Ending>,
    /// Theirs, by which most names are told to be others'.
    tails: Vec<u32>,
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
    phrases: AhoCorasick,
    needles: Vec<Box<[u8]>>,
}

static HOSTS: LazyLock<Hosts> = LazyLock::new(|| {
    let file: File = data::read("hosts.toml", include_str!("data/hosts.toml"));
    let ending = |text: &str, whole: bool, name: Name| Ending {
        tail: tail(text.as_bytes()),
        text: text.as_bytes().into(),
        whole,
        name,
    };
    let mut endings = Vec::new();
    endings.extend(file.submission.iter().map(|text| ending(text, true, Name::Submission)));
    endings.extend(file.outbound.iter().map(|text| ending(text, false, Name::Outbound)));
    endings.extend(file.relay.iter().map(|rule| ending(&rule.suffix, false, Name::Microsoft(rule.platform))));
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    let mut needles: Vec<Box<[u8]>> = file.needles.iter().map(|text| text.as_bytes().into()).collect();
    for range in &file.eop_ranges {
        let Some((address, length)) = range_of(range) else {
            panic!("src/microsoft/data/hosts.toml: '{range}' is no address range")
        };
        match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
                let first = u32::from(address) & mask;
                v4.push((first, mask));
                // The first two octets, each of them: 40.92., 40.93.
                for block in (first >> 16)..=((first | !mask) >> 16) {
                    needles.push(format!("{}.{}.", block >> 8, block & 255).into_bytes().into());
                }
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
                v6.push((u128::from(address) & mask, mask));
                let [a, b, c, ..] = address.segments();
                needles.push(format!("{a:x}:{b:x}:{c:x}:").into_bytes().into());
            }
        }
    }
    let phrases = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .prefilter(false)
        .build(&file.quoted_ip_phrases)
        .unwrap_or_else(|error| panic!("src/microsoft/data/hosts.toml: quoted_ip_phrases: {error}"));
    let tails = endings.iter().map(|ending| ending.tail).collect();
    Hosts { file, endings, tails, v4, v6, phrases, needles }
});

fn range_of(text: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = text.split_once('/')?;
    Some((address.parse().ok()?, length.parse().ok()?))
}

/// The last four bytes in lower case.
fn tail(text: &[u8]) -> u32 {
    match text.last_chunk::<4>() {
        Some(last) => u32::from_le_bytes(last.map(|byte| byte.to_ascii_lowercase())),
        None => 0,
    }
}

/// Whose relay it is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relay {
    /// Takes mail for Microsoft's mailboxes.
    Microsoft(Platform),
    /// Takes mail for submission, with a login.
    Submission,
    /// Somebody else's, and Microsoft's sending hosts.
    Other,
}

/// Whose relay it is. Any letter case; a final dot is allowed, and Sendmail's three dots in the middle
/// (`cpandl-example.mai...ction.outlook.com`).
pub fn relay(host: &[u8]) -> Relay {
    match name(host) {
        Name::Microsoft(platform) => Relay::Microsoft(platform),
        Name::Submission => Relay::Submission,
        Name::Outbound | Name::Other => Relay::Other,
    }
}

fn name(host: &[u8]) -> Name {
    let host = host.strip_suffix(b".").unwrap_or(host);
    let last = tail(host);
    let hosts = &*HOSTS;
    let known = hosts.tails.iter().fold(false, |known, tail| known | (*tail == last));
    for ending in hosts.endings.iter().filter(|_| known) {
        if ending.tail == last
            && host.len() >= ending.text.len()
            && (!ending.whole || host.len() == ending.text.len())
            && host[host.len() - ending.text.len()..].eq_ignore_ascii_case(&ending.text)
        {
            return ending.name;
        }
    }
    match last_dots(host) {
        Some(at) => shortened(&host[..at], &host[at + 3..]),
        None => Name::Other,
    }
}

/// Where three dots stand last.
fn last_dots(host: &[u8]) -> Option<usize> {
    let (mut from, mut last) = (0, None);
    while let Some(dot) = near(b'.', &host[from..]).map(|dot| from + dot) {
        if host[dot..].starts_with(b"...") {
            last = Some(dot);
        }
        from = dot + 1;
    }
    last
}

/// A name of which Sendmail has left the two ends.
fn shortened(head: &[u8], rest: &[u8]) -> Name {
    let mut best: Option<(usize, Name)> = None;
    for ending in HOSTS.endings.iter().filter(|ending| !ending.whole) {
        let text = &*ending.text;
        // Where the rest is shorter than the ending, the head must hold the beginning of it.
        if rest.len() < 8
            || rest.len() > text.len()
            || !text[text.len() - rest.len()..].eq_ignore_ascii_case(rest)
        {
            continue;
        }
        let begun = (0..=text.len() - rest.len())
            .rev()
            .find(|&length| {
                head.len() >= length && head[head.len() - length..].eq_ignore_ascii_case(&text[..length])
            })
            .unwrap_or(0);
        best = match best {
            Some((most, name)) if most > begun => Some((most, name)),
            Some((most, name)) if most == begun && name != ending.name => {
                Some((most, Name::Microsoft(Platform::Unknown)))
            }
            _ => Some((begun, ending.name)),
        };
    }
    best.map_or(Name::Other, |(_, name)| name)
}

/// Whether the address lies where Exchange Online Protection takes mail.
pub fn is_eop_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => HOSTS.v4.iter().any(|(first, mask)| u32::from(ip) & mask == *first),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_eop_address(IpAddr::V4(ip)),
            None => HOSTS.v6.iter().any(|(first, mask)| u128::from(ip) & mask == *first),
        },
    }
}

/// Whether the domain is one of Outlook.com's own, in any country form.
pub fn is_consumer_domain(domain: &[u8]) -> bool {
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    let file = &HOSTS.file;
    if file.consumer_domains.iter().any(|known| domain.eq_ignore_ascii_case(known.as_bytes())) {
        return true;
    }
    let Some(dot) = near(b'.', domain) else { return false };
    let (name, country) = (&domain[..dot], &domain[dot + 1..]);
    file.consumer_names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) && is_country(country)
}

/// Two or three letters, or `co` or `com` and two letters.
fn is_country(text: &[u8]) -> bool {
    let letters = |text: &[u8]| text.iter().all(u8::is_ascii_alphabetic);
    match memchr::memchr(b'.', text) {
        None => matches!(text.len(), 2 | 3) && letters(text),
        Some(dot) => {
            let (second, top) = (&text[..dot], &text[dot + 1..]);
            (second.eq_ignore_ascii_case(b"co") || second.eq_ignore_ascii_case(b"com"))
                && top.len() == 2
                && letters(top)
        }
    }
}

/// The host that answered: the last host tag of a reply, or the name in the parentheses of an old Hotmail reply.
pub fn host_tag(reply: &[u8]) -> Option<&[u8]> {
    let mut end = reply.len();
    while let Some(open) = memchr::memrchr(b'[', &reply[..end]) {
        if let Some(host) = tag_at(&reply[open + 1..]) {
            return Some(host);
        }
        end = open;
    }
    hotmail_token(reply)
}

/// The reply up to the host tag at its end, if it has one there.
pub fn without_tag(reply: &[u8]) -> &[u8] {
    match memchr::memrchr(b'[', reply) {
        Some(open) if reply.ends_with(b"]") && tag_at(&reply[open + 1..]).is_some() => &reply[..open],
        _ => reply,
    }
}

/// The host of a tag whose bracket was just opened.
fn tag_at(text: &[u8]) -> Option<&[u8]> {
    let length = text
        .iter()
        .take(256)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        .count();
    let (host, rest) = text.split_at(length);
    if !ends_as_tag(host) || host.split(|byte| *byte == b'.').any(<[u8]>::is_empty) {
        return None;
    }
    if rest.first() == Some(&b']') {
        return Some(host);
    }
    // [host 2026-05-12T06:13:19.771Z 08DEA1B20C3D5001], in a folded bounce with line breaks for blanks.
    let (stamp, rest) = word(rest)?;
    let (id, rest) = word(rest)?;
    let closed = rest.trim_ascii_start().first() == Some(&b']');
    (closed && stamp.ends_with(b"Z") && id.len() == 16 && id.iter().all(u8::is_ascii_hexdigit))
        .then_some(host)
}

/// White space and the word behind it, which ends at white space or a bracket.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = text.trim_ascii_start();
    let length = rest
        .iter()
        .take(64)
        .take_while(|byte| byte.is_ascii_graphic() && !matches!(byte, b'[' | b']'))
        .count();
    (rest.len() < text.len() && length > 0).then(|| rest.split_at(length))
}

fn ends_as_tag(host: &[u8]) -> bool {
    HOSTS.file.tag_suffixes.iter().any(|suffix| {
        let suffix = suffix.as_bytes();
        host.len() > suffix.len() && host[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
    })
}

/// `550 SC-001 (SNT004-MC1F12) …`, `550 5.7.0 (BAY004-MC5F17) …`
fn hotmail_token(reply: &[u8]) -> Option<&[u8]> {
    let reply = reply.trim_ascii_start();
    let (digits, rest) = reply.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !matches!(rest.first(), Some(b' ' | b'-')) {
        return None;
    }
    let rest = rest[1..].trim_ascii_start();
    let code = rest.iter().take(12).take_while(|byte| !byte.is_ascii_whitespace()).count();
    let (code, rest) = rest.split_at(code);
    let old = matches!(code, [a, b, b'-', digits @ ..]
        if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && digits.len() == 3);
    if !old && !code.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let rest = rest.trim_ascii_start().strip_prefix(b"(")?;
    let token = &rest[..memchr::memchr(b')', &rest[..rest.len().min(64)])?];
    hotmail_site(token).map(|_| token)
}

/// The site of an old front end's name: `^(BAY|BLU|COL|SNT|DUB)\d{0,4}-.+$`.
fn hotmail_site(label: &[u8]) -> Option<&[u8]> {
    let site = label.get(..3)?;
    if !HOSTS.file.hotmail_sites.iter().any(|known| site.eq_ignore_ascii_case(known.as_bytes())) {
        return None;
    }
    let digits = label[3..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = label.get(3 + digits..)?.strip_prefix(b"-")?;
    let plain = rest.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    (digits <= 4 && !rest.is_empty() && plain).then_some(site)
}

/// The recipient's mailbox host, which a success names: `[InternalId=…, Hostname=SJ0PR17MB4821.namprd17.prod.outlook.com]`.
/// Not the data center that answered.
pub fn mailbox_host(reply: &[u8]) -> Option<&[u8]> {
    let codes = codes(reply);
    let refused = codes.smtp.is_some() || codes.enhanced.is_some();
    if refused && !codes.accepted() {
        return None;
    }
    let at = memmem::find(reply, b"Hostname=")? + b"Hostname=".len();
    let rest = &reply[at..];
    let length = rest
        .iter()
        .take(256)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        .count();
    let host = &rest[..length];
    ends_as_tag(host).then_some(host)
}

/// What a host's name tells of where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Datacenter {
    /// `BL2`: upper case.
    pub site: Option<String>,
    /// `nam10`, `namprd05`: lower case.
    pub forest: Option<String>,
    /// `NAM`: upper case, a code of `regions.tsv`.
    pub region: Option<String>,
}

/// `mail-bn8nam110052.inbound.protection.outlook.com`: the name of an address, which tells the datacenter where there
/// is no host tag.
pub fn is_reverse_name(host: &[u8]) -> bool {
    host.len() > 5
        && host[..5].eq_ignore_ascii_case(b"mail-")
        && host.split(|byte| *byte == b'.').nth(1).is_some_and(|label| label.eq_ignore_ascii_case(b"inbound"))
}

/// Where a host is, by its name: a host tag, a greeting, an old Hotmail token or a reverse name.
pub fn datacenter(host: &[u8]) -> Datacenter {
    let host = host.strip_suffix(b".").unwrap_or(host);
    if !host.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')) {
        return Datacenter::default();
    }
    let upper = host.to_ascii_uppercase();
    let mut labels = upper.split(|byte| *byte == b'.');
    let (first, second, third) = (labels.next().unwrap_or_default(), labels.next(), labels.next());
    if let Some(site) = hotmail_site(first) {
        return Datacenter { site: text(site), forest: None, region: Some("HOTMAIL".to_owned()) };
    }
    let (site, own_forest) = if second == Some(b"INBOUND") { reverse_name(first) } else { label(first) };
    let forest = match second {
        Some(second) if second.starts_with(b"EOP-") => Some(&second[4..]),
        Some(second) if third == Some(b"PROD") => Some(second),
        _ => own_forest,
    };
    let forest =
        forest.filter(|forest| !forest.is_empty()).and_then(text).map(|forest| forest.to_ascii_lowercase());
    let region = forest.as_deref().and_then(region);
    Datacenter { site: site.and_then(text), forest, region }
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// `MAIL-BN8NAM110052`, `MAIL-AM0PR02CU003`: site and, in the first form, forest.
fn reverse_name(label: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let Some((site, rest)) = label.strip_prefix(b"MAIL-").and_then(|rest| rest.split_at_checked(3)) else {
        return (None, None);
    };
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if rest.len() > 5 && rest[..3].iter().all(u8::is_ascii_alphabetic) && digits(&rest[3..]) {
        return (Some(site), Some(&rest[..5]));
    }
    let unit = match rest {
        [b'P', b'R', number @ ..] if number.len() > 2 && digits(&number[..2]) => &number[2..],
        [b'P', number @ ..] if number.len() > 3 && digits(&number[..3]) => &number[3..],
        _ => return (None, None),
    };
    match unit.strip_prefix(b"CU") {
        Some(number) if digits(number) => (Some(site), None),
        _ => (None, None),
    }
}

/// The shapes of a front end's or mailbox host's first label, in upper case: site, and forest where it holds one.
fn label(label: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    // BL02EPF0002992B, CO1PEPF000044FB
    if label.len() == 15 && label[4..].starts_with(b"EPF") && label[7..].iter().all(u8::is_ascii_hexdigit) {
        let site = &label[..4];
        return (Some(site.strip_suffix(b"P").unwrap_or(site)), None);
    }
    for length in [3, 4] {
        let Some((site, rest)) = label.split_at_checked(length) else { continue };
        if !site.iter().all(u8::is_ascii_alphanumeric) {
            continue;
        }
        if front_end(rest) {
            return (Some(site), Some(&rest[..5]));
        }
        if mailbox(rest) {
            return (Some(site), None);
        }
    }
    for length in [3, 4] {
        // BYAPPF00011122
        let Some((site, rest)) = label.split_at_checked(length) else { continue };
        let rest = rest.strip_prefix(b"P").filter(|rest| rest.starts_with(b"PF")).unwrap_or(rest);
        if let Some(number) = rest.strip_prefix(b"PF")
            && matches!(number.len(), 8 | 9)
            && number.iter().all(u8::is_ascii_hexdigit)
        {
            return (Some(site), None);
        }
    }
    (None, None)
}

/// `NAM12FT071`
fn front_end(rest: &[u8]) -> bool {
    let Some((forest, rest)) = rest.split_at_checked(5) else { return false };
    let Some((role, machine)) = rest.split_at_checked(2) else { return false };
    forest[..3].iter().all(u8::is_ascii_alphabetic)
        && forest[3..].iter().all(u8::is_ascii_digit)
        && matches!(role, b"FT" | b"HT" | b"BG")
        && matches!(machine.len(), 3 | 4)
        && machine.iter().all(u8::is_ascii_digit)
}

/// `PR12MB6100`, `P223MB0482`, `PR0101CA0021`
fn mailbox(rest: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(b"P") else { return false };
    let role = |rest: &[u8]| {
        let Some((role, machine)) = rest.split_at_checked(2) else { return false };
        matches!(role, b"CA" | b"MB" | b"CU")
            && (3..=5).contains(&machine.len())
            && machine.iter().all(u8::is_ascii_alphanumeric)
    };
    let behind = |rest: &[u8], count: usize| -> bool {
        let Some((number, rest)) = rest.split_at_checked(count) else { return false };
        if !number.iter().all(u8::is_ascii_digit) {
            return false;
        }
        let two = rest.split_at_checked(2).filter(|(number, _)| number.iter().all(u8::is_ascii_digit));
        role(rest) || two.is_some_and(|(_, rest)| role(rest))
    };
    match rest.strip_prefix(b"R") {
        Some(rest) => behind(rest, 2),
        None => behind(rest, 3),
    }
}

/// The region of a forest (lower case).
pub fn region(forest: &str) -> Option<String> {
    static FORESTS: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        data::rows(include_str!("data/forests.tsv"))
            .filter_map(|row| Some((*row.first()?, *row.get(1)?)))
            .collect()
    });
    let fits = |pattern: &str| {
        pattern.len() == forest.len()
            && pattern.bytes().zip(forest.bytes()).all(|(p, f)| p == f || (p == b'#' && f.is_ascii_digit()))
    };
    match FORESTS.iter().find(|(pattern, _)| fits(pattern)) {
        Some((_, region)) => Some((*region).to_owned()),
        None => forest
            .get(..3)
            .filter(|letters| letters.bytes().all(|byte| byte.is_ascii_alphabetic()))
            .map(str::to_ascii_uppercase),
    }
}

/// What a region is called.
pub fn region_name(region: &str) -> Option<&'static str> {
    static REGIONS: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
        data::rows(include_str!("data/regions.tsv"))
            .filter_map(|row| Some((*row.first()?, *row.get(1)?)))
            .collect()
    });
    REGIONS.get(region).copied()
}

/// Where a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct City {
    pub city: &'static str,
    pub country: &'static str,
}

/// The city of a site: the first letters tell it only together with the region, since letters repeat.
pub fn city(site: &str, region: &str) -> Option<City> {
    static SITES: LazyLock<BTreeMap<(&str, &str), City>> = LazyLock::new(|| {
        let mut sites = BTreeMap::new();
        for row in data::rows(include_str!("data/sites.tsv")) {
            if let [prefix, city, country, region, ..] = row[..] {
                sites.entry((prefix, region)).or_insert(City { city, country });
            }
        }
        sites
    });
    let letters = if region == "HOTMAIL" { 3 } else { 2 };
    SITES.get(&(site.get(..letters)?, region)).copied()
}

/// The sender's address that Microsoft quotes in the reply; private and loopback ones tell nothing.
pub fn quoted_ip(reply: &[u8]) -> Option<IpAddr> {
    quoted_ips(reply).next()
}

/// All of them.
pub fn quoted_ips(reply: &[u8]) -> impl Iterator<Item = IpAddr> {
    // Behind an arrow another server speaks, and about somebody else.
    let reply = match memmem::find(reply, b" -> ") {
        Some(at) if at > 0 => &reply[..at],
        _ => reply,
    };
    HOSTS.phrases.find_overlapping_iter(reply).filter_map(|hit| {
        let mut rest = reply[hit.end()..].trim_ascii_start();
        // The address begins the next line of a reply of several lines: `550-[192.0.2.20]`.
        if rest.len() > 4 && reply.starts_with(&rest[..3]) && matches!(rest[3], b'-' | b' ') {
            rest = rest[codes_and_length(rest).1..].trim_ascii_start();
        }
        let rest = match rest {
            [b'[' | b'(', rest @ ..] => rest,
            _ => rest,
        };
        let length = rest
            .iter()
            .take(46)
            .take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':'))
            .count();
        // A sentence may end behind the address.
        let address = std::str::from_utf8(&rest[..length]).ok()?.trim_end_matches(['.', ':']);
        address.parse().ok().filter(|ip| is_public(*ip))
    })
}

/// Not private, loopback, link-local, shared (100.64.0.0/10) or unspecified. Documentation addresses count as public.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_public_v4(ip),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || a == 0 || ip.is_broadcast() || shared)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let first = ip.segments()[0];
    let local = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80;
    !(ip.is_loopback() || ip.is_unspecified() || local)
}

/// Whether an attempt went to Microsoft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It did.
    Yes(Platform),
    /// It did not.
    No,
    /// Only the recipient's domain can tell, and it is none of Outlook.com's own: it did if Microsoft refused that
    /// domain elsewhere in the input.
    ByDomain,
}

/// What the name of a relay tells by itself. A few relays take most of the mail: worth a memo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(Option<Name>);

/// Whose the name of a relay is, if it is one.
pub fn owner(relay_host: Option<&[u8]>) -> Owner {
    let host = relay_host.filter(|host| !host.is_empty() && !is_address(host));
    Owner(host.map(name))
}

/// What the relay's name and address alone say. `None`: the reply or the recipient's domain matter too.
pub fn bound_by_relay(relay_host: &[u8], relay_ip: IpAddr) -> Option<Bound> {
    match owner(Some(relay_host)).0? {
        Name::Submission | Name::Outbound => Some(Bound::No),
        Name::Other => (!is_eop_address(relay_ip)).then_some(Bound::No),
        Name::Microsoft(platform) => (platform != Platform::Unknown).then_some(Bound::Yes(platform)),
    }
}

/// Whether an attempt went to Microsoft: the relay decides, by name or address; where the log names none, whoever
/// answered; where nobody said who he is, the recipient's domain.
pub fn bound(
    relay: Owner,
    relay_ip: Option<IpAddr>,
    answer: &Answer<'_>,
    recipient_domain: Option<&[u8]>,
) -> Bound {
    let yes = |platform: Platform| {
        if platform == Platform::Unknown && recipient_domain.is_some_and(is_consumer_domain) {
            return Bound::Yes(Platform::Consumer);
        }
        Bound::Yes(platform)
    };
    let eop = || relay_ip.is_some_and(is_eop_address);
    if let Some(name) = relay.0 {
        return match name {
            Name::Microsoft(platform) => yes(platform),
            Name::Submission | Name::Outbound => Bound::No,
            // A name of the recipient's own for one of Microsoft's addresses.
            Name::Other if eop() => yes(Platform::Unknown),
            Name::Other => Bound::No,
        };
    }
    if eop() {
        return yes(Platform::Unknown);
    }
    if relay_ip.is_some_and(|ip| !is_public(ip)) {
        return Bound::No;
    }
    if let Answer::Text(reply) = *answer
        && (host_tag(reply).is_some() || mailbox_host(reply).is_some())
    {
        return yes(Platform::Unknown);
    }
    match recipient_domain {
        Some(domain) if is_consumer_domain(domain) => Bound::Yes(Platform::Consumer),
        Some(_) => Bound::ByDomain,
        None => Bound::No,
    }
}

/// The same where the log names no relay, but by which name it greeted. Consumer mailboxes and tenants are greeted alike.
pub fn bound_by_greeting(
    greeting: &[u8],
    relay_ip: Option<IpAddr>,
    answer: &Answer<'_>,
    recipient_domain: Option<&[u8]>,
) -> Bound {
    let by_address = bound(Owner(None), relay_ip, answer, recipient_domain);
    if relay_ip.is_some_and(|ip| is_eop_address(ip) || !is_public(ip)) {
        return by_address;
    }
    let platform = match name(greeting) {
        Name::Microsoft(platform @ (Platform::Consumer | Platform::Gov | Platform::China)) => platform,
        Name::Microsoft(_) => Platform::Unknown,
        Name::Other if ends_as_tag(greeting) => Platform::Unknown,
        Name::Submission | Name::Outbound | Name::Other => return Bound::No,
    };
    match recipient_domain {
        Some(domain) if platform == Platform::Unknown && is_consumer_domain(domain) => {
            Bound::Yes(Platform::Consumer)
        }
        _ => Bound::Yes(platform),
    }
}

/// A bare address in place of a host name.
fn is_address(host: &[u8]) -> bool {
    let host = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
    let digits = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    host.len() <= 45
        && host.iter().all(digits)
        && std::str::from_utf8(host).is_ok_and(|host| host.parse::<IpAddr>().is_ok())
}

/// Literals in lower case: a line about a Microsoft-bound attempt holds one of them, in any letter case, unless nothing
/// but the recipient's domain tells ([`Bound::ByDomain`]). A hit makes a candidate; [`bound`] decides.
pub fn needles() -> &'static [&'static [u8]] {
    static NEEDLES: LazyLock<Vec<&'static [u8]>> =
        LazyLock::new(|| HOSTS.needles.iter().map(|needle| &**needle).collect());
    &NEEDLES
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;
