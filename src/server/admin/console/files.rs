//! The files of the console.

use std::sync::LazyLock;

use hyper::header::HeaderValue;

/// One file.
pub struct File {
    /// The path below `/console/`. The page itself has none.
    pub path: &'static str,
    /// The media type.
    pub media_type: &'static str,
    /// The content.
    pub bytes: &'static [u8],
    /// A strong validator (RFC 9110, section 8.8.3): a hash of the content.
    pub etag: HeaderValue,
}

/// Length of the hash in an entity tag, in hex digits.
const ETAG_DIGITS: usize = 32;

macro_rules! files {
    ($($path:literal,)*) => {
        [$(($path, include_bytes!(concat!("assets/", $path)).as_slice())),*]
    };
}

/// Every file, the page first.
pub static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let files = files![
        "index.html",
        "actions/act.js",
        "actions/tokens.js",
        "actions/users.js",
        "app.js",
        "components/chart.js",
        "components/confirm.js",
        "components/event_table.js",
        "components/notices.js",
        "components/outage_banner.js",
        "components/page.js",
        "components/state.js",
        "components/table.js",
        "components/takeover_table.js",
        "components/time.js",
        "components/token_table.js",
        "components/top_bar.js",
        "core/address.js",
        "core/api.js",
        "core/call_error.js",
        "core/format.js",
        "core/load.js",
        "core/observable.js",
        "core/outage.js",
        "core/router.js",
        "core/session.js",
        "icon.svg",
        "live/event_stream.js",
        "live/feed.js",
        "live/histogram.js",
        "live/samples.js",
        "style/base.css",
        "style/page.css",
        "style/parts.css",
        "vendor/htm_preact.js",
        "vendor/uplot.css",
        "vendor/uplot.js",
        "views/events.js",
        "views/lookup.js",
        "views/overview.js",
        "views/overview_charts.js",
        "views/overview_health.js",
        "views/related.js",
        "views/sign_in.js",
        "views/token.js",
        "views/unknown.js",
        "views/user.js",
        "views/user_devices.js",
        "views/user_history.js",
        "views/user_takeovers.js",
    ];
    files.into_iter().map(|(path, bytes)| file(path, bytes)).collect()
});

fn file(path: &'static str, bytes: &'static [u8]) -> File {
    let hash = blake3::hash(bytes).to_hex();
    let etag = format!("\"{}\"", &hash[..ETAG_DIGITS]);
    File {
        path: if path == "index.html" { "" } else { path },
        media_type: media_type(path),
        bytes,
        // Hex digits in quotes are a legal value.
        etag: HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\"")),
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

/// Finds the file at a path below `/console/`.
pub fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}
