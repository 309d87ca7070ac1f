package page

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestInline(t *testing.T) {
	for _, test := range []struct{ svg, want, fails string }{
		{svg: "", want: ""},
		{
			svg:  `<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x"><!-- by graphviz --><svg width="1pt" xmlns:xlink="http://www.w3.org/1999/xlink"><a xlink:title="&lt;b&gt; &quot;"><text>&lt;/script&gt; é</text></a></svg>` + "\n",
			want: `<svg width="1pt" xmlns:xlink="http://www.w3.org/1999/xlink"><a xlink:title="&lt;b&gt; &#34;"><text>&lt;/script&gt; é</text></a></svg>`,
		},
		{svg: `<svg><title><![CDATA[><script>alert(1)</script>]]></title></svg>`,
			want: `<svg><title>&gt;&lt;script&gt;alert(1)&lt;/script&gt;</title></svg>`},
		{svg: `<svg><!--><script>alert(1)</script>--></svg>`, want: `<svg></svg>`},
		{svg: `<svg><a href="#n1"/></svg>`, want: `<svg><a href="#n1"></a></svg>`},
		{svg: `<svg><script>alert(1)</script></svg>`, fails: "<script>"},
		{svg: `<svg><g onload="alert(1)"/></svg>`, fails: "onload"},
		{svg: `<svg><g ONLOAD="alert(1)"/></svg>`, fails: "ONLOAD"},
		{svg: `<svg><a xlink:href=" javascript:alert(1)">x</a></svg>`, fails: "javascript:"},
		{svg: `<svg><foreignObject><b/></foreignObject></svg>`, fails: "<foreignObject>"},
		{svg: `<svg><img src="x"/></svg>`, fails: "<img>"},
		{svg: `<svg><g></svg>`, fails: "closes nothing"},
		{svg: `<svg>`, fails: "no whole <svg>"},
		{svg: `text`, fails: "no whole <svg>"},
		{svg: `<svg/><svg/>`, fails: "its one <svg>"},
		{svg: `<div/>`, fails: "<div>"},
		{svg: `<svg`, fails: "well-formed"},
	} {
		got, err := inline(test.svg)
		if test.fails == "" && (err != nil || string(got) != test.want) {
			t.Errorf("inline(%q) = %q, %v; want %q", test.svg, got, err, test.want)
		}
		if test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
			t.Errorf("inline(%q): error %v, want one about %s", test.svg, err, test.fails)
		}
	}
}

func FuzzInline(f *testing.F) {
	f.Add(`<?xml version="1.0"?><svg><g id="a"><title>t</title><path d="M0,0"/></g></svg>`)
	f.Add(`<svg><style>.a{fill:red}</style><text>&#60;b&#62;</text><!-- c --></svg>`)
	f.Add(`<svg a="&quot;><script>"><![CDATA[<script>]]></svg>`)
	f.Add(`<svg:svg xmlns:svg="x"/>`)
	f.Fuzz(func(t *testing.T, svg string) {
		got, err := inline(svg)
		if err != nil || got == "" {
			return
		}
		if strings.Contains(strings.ToLower(string(got)), "<script") || strings.Contains(string(got), "<!") {
			t.Fatalf("inline(%q) = %q", svg, got)
		}
		again, err := inline(string(got))
		if err != nil || again != got {
			t.Fatalf("inline(%q) = %q, inlined again %q: %v", svg, got, again, err)
		}
		decoder := xml.NewDecoder(strings.NewReader(string(got)))
		for {
			if _, err := decoder.RawToken(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatalf("inline(%q) = %q: %v", svg, got, err)
			}
		}
	})
}
