// Where a request goes that may not pass: a browser's request for a page goes to the login page or to the page of the
// second factor, and every other request gets Doorward's 401 or 403. nginx-login.inc uses this.

const LOGIN = "/login";
const SECOND_FACTOR = "/second-factor";

// Tells whether a browser asks for a page of this site. `//` or a backslash in a path can lead a browser to another site.
function isPage(r) {
    const mode = r.headersIn["Sec-Fetch-Mode"];
    const path = r.variables.request_uri.split("?")[0];
    return r.method === "GET"
        && /^text\/html/i.test(r.headersIn["Accept"] || "")
        && (mode === undefined || mode === "navigate")
        && /^\/[!-~]*$/.test(r.variables.request_uri)
        && !/\/\/|\\/.test(path);
}

// The address comes from the request line only. No header of the client has a part in it.
function sendTo(page, r) {
    delete r.headersOut["WWW-Authenticate"];
    r.headersOut["Cache-Control"] = "no-store";
    r.return(302, page + "?next=" + encodeURIComponent(r.variables.request_uri));
}

function unauthorized(r) {
    if (isPage(r)) {
        return sendTo(LOGIN, r);
    }
    r.headersOut["Cache-Control"] = "no-store";
    r.return(401);
}

function forbidden(r) {
    const reason = r.variables.doorward_reason;
    if (reason === "second-factor" && isPage(r)) {
        return sendTo(SECOND_FACTOR, r);
    }
    if (reason) {
        r.headersOut["X-Auth-Reason"] = reason;
        r.headersOut["Cache-Control"] = "no-store";
    }
    r.return(403);
}

export default { unauthorized, forbidden };
