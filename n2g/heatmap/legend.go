package heatmap

// legend places each row's scale and what the outlines mean.
func (l *layout) legend() {
	l.y += 22
	l.x = margin
	rows := l.h.Rows
	if l.h.Form == Compact {
		rows = rows[:min(1, len(rows))]
	}
	for _, row := range rows {
		name, low, high := l.face.show(label(row.Name)), "0", row.precise(row.max())
		negative := l.h.negative(row)
		if negative {
			low = "−" + high
		}
		if row.Note != "" {
			high += " " + l.face.show(label(row.Note))
		}
		steps := 8
		if negative {
			steps = 16
		}
		l.wrap(l.face.width(name) + l.face.width(low) + l.face.width(high) + float64(steps)*8 + 20)
		l.write(name+" "+low, paint{muted, 1})
		l.x += 5
		swatch := l.x
		for s := range steps {
			share := float64(s+1) / 8
			if negative {
				share = (float64(s) - 7.5) / 7.5
			}
			fill, _ := shade(row, share*row.max())
			l.add(shape{x: l.x, y: l.y - 9, w: 8, h: 10, fill: fill})
			l.x += 8
		}
		l.add(shape{x: swatch, y: l.y - 9, w: float64(steps) * 8, h: 10, radius: 1, stroke: paint{line, 1}})
		l.x += 5
		l.write(high, paint{muted, 1})
		l.x += 20
	}
	for _, m := range []Mark{Peak, Missed, FalseAlarm} {
		n := l.h.count(m)
		if n == 0 {
			continue
		}
		l.wrap(20 + l.face.width(m.describe(n)))
		l.add(outlined(shape{x: l.x + 1, y: l.y - 9, w: 12, h: 10, radius: 2}, m))
		l.x += 18
		l.write(m.describe(n), paint{muted, 1})
		l.x += 20
	}
}

// wrap begins a new line of the legend where an entry does not fit.
func (l *layout) wrap(w float64) {
	if l.x > margin && l.x+w > l.width-margin {
		l.x = margin
		l.y += 18
	}
}

func (l *layout) write(text string, fill paint) {
	l.add(shape{x: l.x, y: l.y, text: text, size: labelSize, fill: fill})
	l.x += l.face.width(text)
}
