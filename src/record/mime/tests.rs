use super::*;

fn with(of: impl Fn(&mut Vec<u8>)) -> String {
    let mut bytes = Vec::new();
    of(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn parameters() {
    let value = b"multipart/report; report-type=delivery-status;\tBoundary=\"a;b=c\" ; x=y";
    assert_eq!(main_value(value), b"multipart/report");
    assert_eq!(parameter(value, b"boundary"), Some(&b"a;b=c"[..]));
    assert_eq!(parameter(value, b"report-type"), Some(&b"delivery-status"[..]));
    assert_eq!(parameter(value, b"x"), Some(&b"y"[..]));
    assert_eq!(parameter(value, b"y"), None);
    assert_eq!(parameter(b"a/b;boundary=\"cut", b"boundary"), Some(&b"cut"[..]));
}

#[test]
fn encodings() {
    assert_eq!(with(|into| assert!(!quoted_printable(b"caf=C3=A9 =3D =zz  ", into))), "café = =zz");
    assert_eq!(with(|into| assert!(quoted_printable(b"goes on=", into))), "goes on");
    assert_eq!(
        with(|into| {
            let mut base64 = Base64::default();
            for part in [&b"RmluYWw"[..], b"tUmVj\r\n", b"aXBpZW50Og==", b"IQ=="] {
                base64.push(part, into);
            }
        }),
        "Final-Recipient:!"
    );
}

#[test]
fn words() {
    let read = |text: &str| with(|into| encoded_words(text.as_bytes(), into));
    assert_eq!(read("550 =?UTF-8?Q?caf=C3=A9_?= =?utf-8?b?b2s=?= end"), "550 café ok end");
    assert_eq!(read("=?iso-8859-1?q?caf=E9?="), "café");
    for as_it_is in ["=?koi8-r?q?a?=", "=?utf-8?q?a b?=", "a =? b", "=?utf-8?q?cut", "=?utf-8?x?a?="] {
        assert_eq!(read(as_it_is), as_it_is);
    }
}
