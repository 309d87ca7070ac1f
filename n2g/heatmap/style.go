package heatmap

import (
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// Style returns the style sheet of every heat map, for a page of many: a <style> element's content. All of its rules
// are within the class n2g-hm. Classes n2g-light and n2g-dark, on the map or on any element around it, fix the theme.
func Style() string { return style }

var style = sheet()

// sheet writes the style sheet. A shade is the opacity --a of the hue --h, so that a token needs no style of its own.
func sheet() string {
	var b strings.Builder
	b.WriteString(scene.Themed("n2g-hm"))
	b.WriteString(rules)
	for k := 1; k <= placed; k++ {
		fmt.Fprintf(&b, ".n2g-hm .m i:nth-of-type(%d){--h:var(--h%[1]d)}", k)
		for _, hue := range "rbv" {
			fmt.Fprintf(&b, ".n2g-hm .h%d%c{--h%[1]d:var(--%[2]c)}", k, hue)
		}
	}
	b.WriteString(".n2g-hm .c span{--h:var(--h1)}.n2g-hm .m i.n,.n2g-hm .c span.n{--h:var(--n)}")
	for l := 1; l <= scene.Levels; l++ {
		fmt.Fprintf(&b, ".n2g-hm .p%d{--a:%s}", l, precise(float64(l)/scene.Levels))
	}
	for l := scene.LastInk + 1; l <= scene.Levels; l++ {
		fmt.Fprintf(&b, ".n2g-hm .p%d", l)
		if l < scene.Levels {
			b.WriteByte(',')
		}
	}
	b.WriteString("{color:rgb(var(--on))}")
	return b.String()
}

// placed is the number of rows whose colour a cell takes from its place in the column.
const placed = 4

const rules = `
.n2g-hm{box-sizing:border-box;max-width:100%;margin:0;padding:10px 12px;border-radius:6px;overflow-x:auto;overflow-y:hidden;direction:ltr;text-align:left;background:rgb(var(--bg));color:rgb(var(--ink));font:13px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-print-color-adjust:exact;print-color-adjust:exact}
.n2g-hm *{box-sizing:border-box}
.n2g-hm .h{font-weight:600;margin:0 0 8px}
.n2g-hm .m{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;font-size:13px}
.n2g-hm .r{--h:var(--r)}
.n2g-hm .b{--h:var(--b)}
.n2g-hm .v{--h:var(--v)}
.n2g-hm .n{--h:var(--n)}
.n2g-hm u{text-decoration:none;opacity:.45}
.n2g-hm .f{display:flex;margin-bottom:-8px}
.n2g-hm .f span{display:inline-flex;flex-direction:column;flex:none;vertical-align:top;margin:0 3px 8px 0;overflow:hidden}
.n2g-hm .f b{max-width:24em;padding:3px 6px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;unicode-bidi:isolate;font-weight:400;text-align:center;line-height:18px}
.n2g-hm .f i{border-top:1px solid rgb(var(--line));padding:0 5px;background:rgba(var(--h),var(--a,0));font:normal 11px/18px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;font-variant-numeric:tabular-nums;text-align:center}
.n2g-hm .f [title]{min-width:38px;border:1px solid rgb(var(--line));border-radius:5px}
.n2g-hm .f .k{padding:1px 6px 1px 0;color:rgb(var(--mute))}
.n2g-hm .f .k b,.n2g-hm .f .k i{padding-left:0;padding-right:0;border-color:transparent;background:none;text-align:left}
.n2g-hm .f .k b{font-size:11px;font-family:system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.n2g-hm .s span{display:inline-block;vertical-align:top;margin:0 2px 3px 0;padding:0 1px;min-width:8px;min-height:29px;max-width:100%;line-height:18px;border-radius:2px;white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate}
.n2g-hm .s i{display:block;height:4px;margin-top:1px;border-radius:1px;background:rgba(var(--h),var(--a,0))}
.n2g-hm .c span{display:inline-block;margin-bottom:2px;padding:0 1px;line-height:20px;border-radius:3px;background:rgba(var(--h),var(--a,0));max-width:100%;white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate}
.n2g-hm .nan{background:repeating-linear-gradient(135deg,rgba(var(--mute),.3) 0 2px,transparent 2px 5px)!important}
.n2g-hm .m .x0{outline:1px solid rgb(var(--ink));outline-offset:-1px}
.n2g-hm .m .x1{outline:2px solid rgb(var(--mark));outline-offset:-1px}
.n2g-hm .m .x2{outline:2px dashed rgb(var(--mark));outline-offset:-1px}
.n2g-hm .s span{outline-offset:0}
.n2g-hm q{quotes:none;white-space:pre-wrap;overflow-wrap:anywhere}
.n2g-hm q::before,.n2g-hm q::after{content:none}
.n2g-hm .s{line-height:32px}
.n2g-hm .s q{line-height:18px;vertical-align:top}
.n2g-hm .c q{line-height:22px}
.n2g-hm details{margin:2px 0}
.n2g-hm summary{cursor:pointer;color:rgb(var(--mute));font-size:11px}
.n2g-hm .g{display:flex;flex-wrap:wrap;gap:2px 18px;margin-top:10px;color:rgb(var(--mute));font-size:11px}
.n2g-hm .g small{font-size:11px}
.n2g-hm .g i{display:inline-block;width:64px;height:9px;border-radius:2px;vertical-align:-1px}
.n2g-hm .g .e{background:linear-gradient(90deg,rgba(var(--h),0),rgb(var(--h)));border:1px solid rgb(var(--line))}
.n2g-hm .g .d{background:linear-gradient(270deg,rgba(var(--n),0),rgb(var(--n)));border:1px solid rgb(var(--line))}
.n2g-hm .g .l{width:20px;height:11px}
.n2g-hm .g .x0{border:1px solid rgb(var(--ink))}
.n2g-hm .g .x1{border:2px solid rgb(var(--mark))}
.n2g-hm .g .x2{border:2px dashed rgb(var(--mark))}
`

// pageStyle is added on a page of its own: the map fills it.
const pageStyle = `
html{background:#fff}
@media screen and (prefers-color-scheme:dark){html:not(.n2g-light){background:#14171c}}
html.n2g-dark{background:#14171c}
body{margin:0}
.n2g-hm{max-width:1100px;margin:0 auto;padding:24px 20px}
`
