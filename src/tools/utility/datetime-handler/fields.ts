/** What a text says about a date, and the date that follows. */
export interface Fields {
  year?: number;
  century?: number;
  yearOfCentury?: number;
  month?: number;
  day?: number;
  dayOfYear?: number;
  /** From 1 = Monday. */
  weekday?: number;
  /** Week of the year, weeks beginning on Sunday or Monday; days before the first of them are in week 0. */
  sundayWeek?: number;
  mondayWeek?: number;
  isoYear?: number;
  isoYearOfCentury?: number;
  isoWeek?: number;
  hour?: number;
  hour12?: number;
  isAfternoon?: boolean;
  minute?: number;
  second?: number;
  nanosecond?: number;
  epochSeconds?: number;
  zone?: string | undefined;
}

/**
 * @returns undefined where the fields do not make a date or contradict each other
 * @throws RangeError where the date does not exist
 */
export function dateOf(fields: Fields): Temporal.PlainDate | undefined {
  const date = dateFrom(fields, yearOf(fields));
  const contradicts = fields.weekday !== undefined && date?.dayOfWeek !== fields.weekday;
  return contradicts ? undefined : date;
}

function dateFrom(fields: Fields, year: number | undefined): Temporal.PlainDate | undefined {
  const { month, day, dayOfYear, weekday, isoWeek } = fields;
  const isoYear = fields.isoYear ?? fullYear(fields.isoYearOfCentury);
  if (isoYear !== undefined && isoWeek !== undefined) return dateOfIsoWeek(isoYear, isoWeek, weekday ?? 1);
  if (year === undefined) return undefined;
  if (month !== undefined)
    return Temporal.PlainDate.from({ year, month, day: day ?? 1 }, { overflow: "reject" });
  if (dayOfYear !== undefined) return dateOfDay(year, dayOfYear);
  if (weekday !== undefined && fields.sundayWeek !== undefined)
    return dateOfDay(year, weekDay(year, fields.sundayWeek, weekday % 7, 7));
  if (weekday !== undefined && fields.mondayWeek !== undefined)
    return dateOfDay(year, weekDay(year, fields.mondayWeek, weekday - 1, 1));
  return undefined;
}

function yearOf({ year, century, yearOfCentury }: Fields): number | undefined {
  if (year !== undefined) return year;
  if (yearOfCentury === undefined) return undefined;
  return century === undefined ? fullYear(yearOfCentury) : century * 100 + yearOfCentury;
}

/** 69 to 99 are in the twentieth century (POSIX). */
function fullYear(yearOfCentury: number | undefined): number | undefined {
  if (yearOfCentury === undefined) return undefined;
  return yearOfCentury + (yearOfCentury < 69 ? 2000 : 1900);
}

function dateOfDay(year: number, dayOfYear: number): Temporal.PlainDate | undefined {
  const date = new Temporal.PlainDate(year, 1, 1).add({ days: dayOfYear - 1 });
  return date.year === year ? date : undefined;
}

/** @param index of the weekday in the week; @param firstWeekday ISO number of the day weeks begin with */
function weekDay(year: number, week: number, index: number, firstWeekday: number): number {
  const january1 = new Temporal.PlainDate(year, 1, 1);
  const daysToFirstWeek = (7 + firstWeekday - january1.dayOfWeek) % 7;
  return 1 + daysToFirstWeek + (week - 1) * 7 + index;
}

function dateOfIsoWeek(year: number, week: number, weekday: number): Temporal.PlainDate | undefined {
  const january4 = new Temporal.PlainDate(year, 1, 4);
  const date = january4.add({ days: (week - 1) * 7 + weekday - january4.dayOfWeek });
  return date.yearOfWeek === year && date.weekOfYear === week ? date : undefined;
}
