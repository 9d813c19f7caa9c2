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
        "live/figures.js",
        "live/readiness_watch.js",
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
        "views/overview_health.js",
        "views/overview_nodes.js",
        "views/overview_traffic.js",
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/admin/console/assets");

    /// Lists the files below a folder, by their paths in it.
    fn files_below(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                found.extend(files_below(&entry.path()).iter().map(|below| format!("{name}/{below}")));
            } else {
                found.push(name);
            }
        }
        found
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let mut expected = files_below(Path::new(FOLDER));
        expected
            .retain(|path| path != "index.html" && path != "vendor/README.md" && !path.contains("LICENSE"));
        expected.sort();
        let mut served: Vec<_> = FILES.iter().map(|file| file.path).filter(|path| !path.is_empty()).collect();
        served.sort_unstable();
        assert_eq!(served, expected);
        assert!(find("").is_some_and(|page| page.media_type.starts_with("text/html")));
    }

    #[test]
    fn the_libraries_are_those_that_the_readme_names() {
        let readme = fs::read_to_string(format!("{FOLDER}/vendor/README.md")).unwrap();
        for file in FILES.iter().filter(|file| file.path.starts_with("vendor/")) {
            let hash = ring::digest::digest(&ring::digest::SHA256, file.bytes);
            let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            let name = file.path.trim_start_matches("vendor/");
            let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            assert!(row.is_some_and(|row| row.contains(&hex)), "{name}: {hex}");
        }
    }

    /// The policy of the page forbids code and styles in it.
    #[test]
    fn the_page_has_no_code_or_style_in_itself() {
        let page = std::str::from_utf8(find("").unwrap().bytes).unwrap();
        for forbidden in ["<style", " style=", " onclick=", "javascript:", "://"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=").count());
    }
}
