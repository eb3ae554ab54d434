//! What the full-screen view shows: as much as there is room for, the most important first.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Axis, Block, BorderType, Chart, Dataset, Gauge, GraphType, Paragraph, Wrap,
};

use super::Scene;
use crate::course::Point;
use crate::tally::Failure;

const GOOD: Color = Color::Green;
const BAD: Color = Color::Red;
const MEDIAN: Color = Color::Cyan;
const TAIL: Color = Color::Yellow;
const WORST: Color = Color::Magenta;

/// Rows of the figures, with their frame.
const FIGURES_ROWS: u16 = 8;
/// Charts with fewer rows say nothing.
const CHART_ROWS_MIN: u16 = 7;
/// Charts stand side by side from here on.
const WIDE_COLUMNS: u16 = 90;

/// Takes median, 99th percentile and longest time from a second.
type Read = fn(&Point) -> Option<[f64; 3]>;

/// A whole screen.
pub(super) fn draw(frame: &mut Frame<'_>, scene: &Scene<'_>) {
    let area = frame.area();
    if area.height < 4 || area.width < 20 {
        return frame.render_widget(progress_line(scene), area);
    }
    let [bar, rest] = Layout::vertical([Constraint::Length(3), Constraint::Min(0)]).areas(area);
    progress(frame, bar, scene);
    let [figures, charts, foot] = Layout::vertical([
        Constraint::Max(FIGURES_ROWS),
        Constraint::Min(0),
        Constraint::Length(u16::from(rest.height > FIGURES_ROWS)),
    ])
    .areas(rest);
    numbers(frame, figures, scene);
    draw_charts(frame, charts, scene);
    let note = if scene.stopping {
        " ending; Ctrl-C again quits at once ".fg(BAD)
    } else {
        " Ctrl-C or q ends the run and writes the report ".dim()
    };
    frame.render_widget(Line::from(note), foot);
}

fn progress_line(scene: &Scene<'_>) -> Line<'static> {
    let connected = last(scene).gauges.connected;
    Line::from(format!("{} s, {connected} bots", scene.elapsed.as_secs()))
}

fn progress(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>) {
    let whole = scene.settings.seconds.as_secs_f64();
    let ratio = (scene.elapsed.as_secs_f64() / whole).clamp(0.0, 1.0);
    let connected = last(scene).gauges.connected;
    let label = format!(
        "{:.0} of {whole:.0} s, {connected} of {} bots in their rooms",
        scene.elapsed.as_secs_f64().min(whole),
        scene.settings.bots
    );
    let title = format!(" {} at {} ", scene.game, scene.settings.url);
    let gauge = Gauge::default()
        .block(panel(title))
        .gauge_style(Style::new().fg(MEDIAN))
        .label(label)
        .ratio(ratio);
    frame.render_widget(gauge, area);
}

fn numbers(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>) {
    let wide = area.width >= WIDE_COLUMNS;
    let halves =
        if wide { [Constraint::Fill(1); 2] } else { [Constraint::Fill(1), Constraint::Length(0)] };
    let [left, right] = Layout::horizontal(halves).areas(area);
    let mut lines = seen(scene);
    if !wide {
        lines.truncate(4);
        lines.extend(wrong(scene));
    } else {
        let errors = Paragraph::new(wrong(scene)).wrap(Wrap { trim: true });
        frame.render_widget(errors.block(panel(" what went wrong ")), right);
    }
    frame.render_widget(Paragraph::new(lines).block(panel(" what bots see ")), left);
}

/// How things stand for the bots.
fn seen(scene: &Scene<'_>) -> Vec<Line<'static>> {
    let point = last(scene);
    let total = scene.course.total;
    let hashes = format!("{} checked, {} mismatched", total.hash_checked, total.hash_mismatched);
    let share = point.counts.coalesced as f64 * 100.0 / point.counts.frames.max(1) as f64;
    vec![
        row("interval", times(point.frame_interval)),
        row("staleness", times(point.staleness)),
        row("state hash", vec![mark(total.hash_mismatched == 0, hashes)]),
        row(
            "frames",
            vec![Span::from(format!(
                "{}/s, {:.1} kB/s, {share:.1}% coalesced",
                point.counts.frames,
                point.counts.wire_bytes as f64 / 1e3
            ))],
        ),
        row(
            "seats",
            vec![Span::from(format!(
                "{} resumed, {} taken anew, {} left",
                total.resumed, total.rejoined, total.left
            ))],
        ),
        row(
            "faults",
            vec![Span::from(format!(
                "{} hang now, {} cuts, {} malformed",
                point.gauges.stalled, total.cuts, total.attacks
            ))],
        ),
    ]
}

/// Errors by kind, and the generator if it is too slow.
fn wrong(scene: &Scene<'_>) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let point = last(scene);
    let busy = format!("{:.0}% of a core", point.busy * 100.0);
    lines.push(row("generator", vec![mark(point.busy < 0.9, busy)]));
    let kinds: Vec<String> = Failure::ALL
        .iter()
        .filter_map(|(failure, name)| {
            let count = scene.course.failures.get(failure)?;
            Some(format!("{} {count}", name.replace('_', " ")))
        })
        .collect();
    let errors = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
    lines.push(row("errors", vec![mark(kinds.is_empty(), errors)]));
    lines
}

fn row(name: &'static str, mut what: Vec<Span<'static>>) -> Line<'static> {
    what.insert(0, Span::from(format!("{name:<11}")).dim());
    Line::from(what)
}

fn mark(good: bool, text: String) -> Span<'static> {
    Span::styled(text, Style::new().fg(if good { GOOD } else { BAD }))
}

fn times(times: Option<[f64; 3]>) -> Vec<Span<'static>> {
    let Some([p50, p99, max]) = times else { return vec![Span::from("no frames")] };
    vec![
        Span::from("p50 "),
        Span::from(format!("{p50:.1}")).fg(MEDIAN).add_modifier(Modifier::BOLD),
        Span::from("  p99 "),
        Span::from(format!("{p99:.1}")).fg(TAIL).add_modifier(Modifier::BOLD),
        Span::from("  max "),
        Span::from(format!("{max:.1}")).fg(WORST).add_modifier(Modifier::BOLD),
        Span::from(" ms"),
    ]
}

/// As many charts as there is room for.
fn draw_charts(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>) {
    if area.height < CHART_ROWS_MIN {
        return;
    }
    let places = if area.width >= WIDE_COLUMNS {
        Layout::horizontal([Constraint::Fill(1); 2]).split(area)
    } else {
        let count = usize::from(area.height / CHART_ROWS_MIN).min(2);
        Layout::vertical(vec![Constraint::Fill(1); count]).split(area)
    };
    let charts: [(&str, Read); 2] = [
        (" frame interval, ms ", |point| point.frame_interval),
        (" staleness, ms ", |point| point.staleness),
    ];
    for (place, (title, of)) in places.iter().zip(charts) {
        chart(frame, *place, title, &scene.course.points, of);
    }
}

fn chart(frame: &mut Frame<'_>, area: Rect, title: &'static str, points: &[Point], of: Read) {
    let of_all = |which: usize| -> Vec<(f64, f64)> {
        let told = points.iter().enumerate();
        told.filter_map(|(second, point)| Some((second as f64 + 1.0, of(point)?[which]))).collect()
    };
    let (median, tail) = (of_all(0), of_all(1));
    let most = tail.iter().map(|it| it.1).fold(1.0, f64::max) * 1.1;
    let seconds = (points.len() as f64).max(2.0);
    let line = |name, color, data| {
        let style = Style::new().fg(color);
        let set = Dataset::default().name(name).marker(Marker::Braille);
        set.graph_type(GraphType::Line).style(style).data(data)
    };
    let sets = vec![line("p99", TAIL, &tail[..]), line("p50", MEDIAN, &median[..])];
    let x = Axis::default().bounds([1.0, seconds]);
    let x = x.labels(["1 s".to_owned(), format!("{seconds} s")]).style(Style::new().dim());
    let y = Axis::default().bounds([0.0, most]).style(Style::new().dim());
    let y = y.labels(["0".to_owned(), format!("{:.0}", most / 2.0), format!("{most:.0}")]);
    frame.render_widget(Chart::new(sets).block(panel(title)).x_axis(x).y_axis(y), area);
}

fn panel<'a>(title: impl Into<Line<'a>>) -> Block<'a> {
    Block::bordered().border_type(BorderType::Rounded).border_style(Style::new().dim()).title(title)
}

/// The last second that is complete; all zero before the first.
fn last(scene: &Scene<'_>) -> Point {
    scene.course.points.last().copied().unwrap_or_default()
}
