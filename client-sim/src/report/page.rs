//! The page: one file that needs nothing else, with the numbers of a report in it.
//!
//! The script draws; nothing is fetched. What bots and servers say is data in it, and
//! is only ever shown as text.

use serde_json::Value;

use super::Report;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const CHART: &str = include_str!("chart.js");
const SCRIPT: &str = include_str!("page.js");

/// The page of a run.
pub(crate) fn page(report: &Report) -> String {
    fill("Tickwire swarm report", &[report])
}

/// The page of two runs, side by side.
pub(crate) fn page_of_two(a: &Report, b: &Report) -> String {
    fill("Tickwire swarm reports compared", &[a, b])
}

fn fill(title: &str, runs: &[&Report]) -> String {
    // Plain data with text keys always has a form in JSON.
    let data = serde_json::to_value(runs).unwrap_or(Value::Null).to_string();
    // Nothing in it can end the element that holds it.
    let data = data.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let parts = [
        ("{{title}}", title),
        ("{{style}}", STYLE),
        ("{{chart}}", CHART),
        ("{{script}}", SCRIPT),
        // Last: nothing in it is taken for a place.
        ("{{data}}", &data),
    ];
    parts.iter().fold(PAGE.to_owned(), |page, (place, part)| page.replacen(place, part, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_stands_alone_and_data_stays_data() {
        let mut report = Report::default();
        let text = "</script><script>alert(1)</script>&amp; {{script}} <!--";
        report.error_texts.insert(text.to_owned(), 1);
        let page = page(&report);
        assert!(!page.contains("alert(1)</script>"));
        assert!(!page.contains("{{title}}") && !page.contains("{{data}}"));
        assert_eq!(page.matches("<script").count(), 2, "the data, and the script");
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            let without = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!without.contains(outside), "{outside}");
        }
        let start = page.find("type=\"application/json\">").unwrap();
        let data = &page[start + "type=\"application/json\">".len()..];
        let data = &data[..data.find("</script>").unwrap()];
        let read: Vec<Report> = serde_json::from_str(data).unwrap();
        assert_eq!(read, [report]);
    }
}
