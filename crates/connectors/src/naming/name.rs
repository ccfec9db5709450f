use std::fmt::Write;

use data::Offset;

use crate::naming::calendar::Units;
use crate::naming::{CalendarTime, Template, TemplatePart, Unit, Variable};

/// A [`Template`] whose variables are bound to what a name is made of. Printing a name looks nothing up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTemplate {
    pieces: Vec<Piece>,
    unbound: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Topic,
    Partition { padded: bool },
    StartOffset { padded: bool },
    Key,
    Time(Unit),
    UtcDate,
    LocalDate,
}

/// Why a template makes no names. Upstream 3.4 finds these when the first record comes; the texts are those with which
/// its version 3.3 refused them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamingError {
    /// `{{timestamp}}`.
    // The double "the" is upstream's.
    #[error("parameter unit is required for the the variable timestamp, supported values are: yyyy|MM|dd|HH")]
    NoUnit,
    /// `{{timestamp:unit=hh}}`.
    #[error(
        "unsupported set of template variables parameters, supported sets are: \
         partition:padding=true|false,start_offset:padding=true|false,timestamp:unit=yyyy|MM|dd|HH"
    )]
    UnknownUnit,
}

/// What a name is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameParts<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) start: Offset,
    pub(super) key: &'a str,
    pub(super) time: CalendarTime,
    pub(super) utc_day: CalendarTime,
    pub(super) local_day: CalendarTime,
}

impl NameTemplate {
    /// Binds the variables named in `bound`; others stay in the name as they were written.
    pub fn bind(template: &Template, bound: &[&str]) -> Result<Self, NamingError> {
        let mut unbound = Vec::new();
        let mut pieces = Vec::with_capacity(template.parts().len());
        for part in template.parts() {
            pieces.push(match part {
                TemplatePart::Text(text) => Piece::Text(text.clone()),
                TemplatePart::Variable(variable) if bound.contains(&variable.name.as_str()) => Piece::of(variable)?,
                TemplatePart::Variable(variable) => {
                    unbound.push(variable.text.clone());
                    Piece::Text(variable.text.clone())
                }
            });
        }
        Ok(Self { pieces, unbound })
    }

    /// The variables that stay in the name as they were written.
    pub fn unbound(&self) -> &[String] {
        &self.unbound
    }

    /// Whether two groups of a partition could print the same name: keys that end where a number begins ("a1" and 2,
    /// "a" and 12) do. If not, the name shows the start offset between other characters, and that is the group's own.
    pub(super) fn may_be_shared(&self) -> bool {
        self.is_ambiguous() || self.pieces.iter().filter(|piece| matches!(piece, Piece::Key)).count() > 1
    }

    /// The text before the first variable.
    pub(super) fn leading_text(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// Whether two different places could print the same name, because a number of free length touches another
    /// variable or a digit: `{{topic}}{{partition}}`.
    pub fn is_ambiguous(&self) -> bool {
        let free_number =
            |piece: &Piece| matches!(piece, Piece::Partition { padded: false } | Piece::StartOffset { padded: false });
        self.pieces.windows(2).any(|pair| match (&pair[0], &pair[1]) {
            (number, Piece::Text(text)) if free_number(number) => text.starts_with(|c: char| c.is_ascii_digit()),
            (Piece::Text(text), number) if free_number(number) => text.ends_with(|c: char| c.is_ascii_digit()),
            (Piece::Text(_), _) | (_, Piece::Text(_)) => false,
            (left, right) => free_number(left) || free_number(right),
        })
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(super) fn units(&self) -> Units {
        let mut units = Units::default();
        for piece in &self.pieces {
            if let Piece::Time(unit) = piece {
                units.add(*unit);
            }
        }
        units
    }

    pub(super) fn uses_dates(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::UtcDate | Piece::LocalDate))
    }

    /// Appends the name.
    pub(super) fn write(&self, parts: &NameParts<'_>, out: &mut String) {
        for piece in &self.pieces {
            let written = match piece {
                Piece::Text(text) => out.write_str(text),
                Piece::Topic => out.write_str(parts.topic),
                Piece::Partition { padded: false } => write!(out, "{}", parts.partition),
                Piece::Partition { padded: true } => write!(out, "{:010}", parts.partition),
                Piece::StartOffset { padded: false } => write!(out, "{}", parts.start),
                Piece::StartOffset { padded: true } => write!(out, "{:020}", parts.start.0),
                Piece::Key => out.write_str(parts.key),
                Piece::Time(unit) => parts.time.write(*unit, out),
                Piece::UtcDate => parts.utc_day.write_date(out),
                Piece::LocalDate => parts.local_day.write_date(out),
            };
            written.expect("writing to a String does not fail");
        }
    }
}

impl Piece {
    fn of(variable: &Variable) -> Result<Self, NamingError> {
        // Upstream looks at the parameter's value only: {{partition:anything=true}} pads too.
        let value = variable.parameter.as_ref().map(|(_, value)| value.as_str());
        let padded = value.is_some_and(|value| value.eq_ignore_ascii_case("true"));
        Ok(match variable.name.as_str() {
            "topic" => Self::Topic,
            "partition" => Self::Partition { padded },
            "start_offset" => Self::StartOffset { padded },
            "key" => Self::Key,
            "timestamp" => Self::Time(Unit::of(value.ok_or(NamingError::NoUnit)?).ok_or(NamingError::UnknownUnit)?),
            "utc_date" => Self::UtcDate,
            "local_date" => Self::LocalDate,
            other => unreachable!("no grouping binds a variable {other}"),
        })
    }
}
