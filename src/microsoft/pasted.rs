//! What people paste -> the text that it stands for: quoted-printable and HTML remains of a bounce undone.

/// Undoes quoted-printable where there are signs of it, then HTML's entities and line breaks.
pub(super) fn unwrapped(input: &str) -> String {
    let text = if is_quoted_printable(input) { quoted_printable(input) } else { input.to_owned() };
    let text = if is_html(&text) { without_tags(&text) } else { text };
    // A bounce that was pasted into another one has `&amp;lt;`.
    let text = entities(&entities(&text));
    // The tags themselves may have been written as entities.
    if is_html(&text) { without_tags(&text) } else { text }
}

/// Soft line breaks, or what stands for a blank or a sign of equality where no address (`?LinkID=526655`) has it.
fn is_quoted_printable(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_end_matches(['\r', '\n']);
        let soft = line.ends_with('=') && !line.ends_with("==") && line.len() > 1;
        soft || line.trim_end().ends_with("=20") || line.contains("=3D")
    }) || text.match_indices("=20").any(|(at, _)| {
        let behind = text[at + 3..].chars().next();
        behind.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '<' | '[' | '(' | '=' | '&'))
    }) || text.to_ascii_lowercase().contains("content-transfer-encoding: quoted-printable")
}

fn quoted_printable(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'=' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let rest = &bytes[at + 1..];
        let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
        if rest.get(blanks) == Some(&b'\n') {
            // Quoted mail goes on behind its `>`.
            let next = &rest[blanks + 1..];
            let quote = next.iter().take_while(|b| matches!(b, b'>')).count();
            let quote = quote + usize::from(quote > 0 && next.get(quote) == Some(&b' '));
            at += 1 + blanks + 1 + quote;
        } else if let Some(byte) = rest.get(..2).and_then(hex_pair).filter(|byte| is_encoded(*byte)) {
            out.push(byte);
            at += 3;
        } else {
            out.push(b'=');
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex_pair(digits: &[u8]) -> Option<u8> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    };
    Some(digit(digits[0])? * 16 + digit(digits[1])?)
}

/// What encoders really encode. Letters and digits are left: `=52` is a part of an address that nobody encoded.
fn is_encoded(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && (byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r'))
}

/// Names of tags that stand in bounces.
const TAGS: [&str; 22] = [
    "a",
    "b",
    "blockquote",
    "body",
    "br",
    "code",
    "div",
    "em",
    "font",
    "html",
    "i",
    "li",
    "o:p",
    "p",
    "pre",
    "span",
    "strong",
    "table",
    "td",
    "tr",
    "tt",
    "wbr",
];

fn is_html(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| tag_at(&text[at..]).is_some())
}

/// The length of the tag that `text` begins with, and its name. `<a@example.com>` and `<b.example.com #5.7.1 …>` are none.
fn tag_at(text: &str) -> Option<(usize, &'static str)> {
    let inner = text.strip_prefix('<')?;
    let name = inner.strip_prefix('/').unwrap_or(inner);
    let name = TAGS.into_iter().find(|tag| {
        let Some(start) = name.get(..tag.len()) else { return false };
        let behind = name[tag.len()..].chars().next();
        start.eq_ignore_ascii_case(tag)
            && behind.is_some_and(|c| matches!(c, '>' | '/') || c.is_ascii_whitespace())
    })?;
    // An attribute of this length is none that was pasted.
    let end = text.bytes().take(2000).position(|byte| byte == b'>')?;
    // A tag without a closing bracket would swallow the reply.
    (!text[1..end].contains('<')).then_some((end + 1, name))
}

fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        match tag_at(rest) {
            Some((length, name)) => {
                // These stand inside words and addresses.
                let inline = matches!(
                    name,
                    "a" | "b" | "code" | "em" | "font" | "i" | "span" | "strong" | "tt" | "wbr"
                );
                if !inline {
                    out.push(if name == "br" { '\n' } else { ' ' });
                }
                rest = &rest[length..];
            }
            None => {
                out.push('<');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('&') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let end = rest.bytes().take(10).position(|byte| byte == b';');
        match end.and_then(|end| entity(&rest[1..end])) {
            Some(c) => {
                out.push(c);
                rest = &rest[end.map_or(1, |end| end + 1)..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" | "lsquo" | "rsquo" => '\'',
        "nbsp" => ' ',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            match char::from_u32(code)? {
                '\u{a0}' => ' ',
                c => c,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quoted_printable_is_undone_where_there_is_some() {
        assert_eq!(
            unwrapped("550 5.7.1 Unfortunately, mess=\nages from=20[192.0.2.1] weren=E2=80=99t sent"),
            "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren\u{2019}t sent"
        );
        assert_eq!(unwrapped("> banned send=\r\n> ing IP"), "> banned sending IP");
        let address = "http://go.microsoft.com/fwlink/?LinkID=526655";
        assert_eq!(unwrapped(address), address);
        assert_eq!(unwrapped(&format!("{}=\n x", address.replace('=', "=3D"))), format!("{address} x"));
        for plain in ["a=2012", "x==\ny", "delay=0.77, status=bounced"] {
            assert_eq!(unwrapped(plain), plain);
        }
    }

    #[test]
    fn html_is_undone_and_addresses_are_no_tags() {
        assert_eq!(
            unwrapped(
                "<p>Remote Server returned &#39;550 5.7.1<br>Unfortunately&#x2c; a<wbr>b &lt;a@b.org&gt;&#39;</p>"
            ),
            " Remote Server returned '550 5.7.1\nUnfortunately, ab <a@b.org>' "
        );
        assert_eq!(unwrapped("&amp;lt;a@b.org&amp;gt;"), "<a@b.org>");
        assert_eq!(unwrapped("&lt;br&gt;550"), "\n550");
        for plain in ["<a@b.org> <b.example.com #5.7.1 smtp;550 x>", "a & b; c &unknown; &#0x;", "1 < 2"] {
            assert_eq!(unwrapped(plain), plain);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "([=&<>#;a-fA-F0-9 \\n]|br|20|3D|lt|ä|\u{20ac}){0,60}") {
            let _ = unwrapped(&text);
        }
    }
}
