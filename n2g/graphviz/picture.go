package graphviz

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// picture is a laid out graph as a list of shapes in the order they are painted. Graphviz's own SVG names shapes after
// its nodes, hides tooltips in links and fixes its size in points; and its PNG has neither borders nor edges. So both of
// ours are written from this list.
type picture struct {
	width, height float64 // points
	dx, dy        float64 // what to add to a shape's coordinates
	shapes        []shape
}

// shape is a polygon, a curve or a line of text.
type shape struct {
	node  bool   // part of a node
	first bool   // first shape of its node
	title string // of its node

	path   []segment // polygon and curve
	fill   string    // a colour or none
	stroke string    // a colour or none
	pen    float64   // width of the stroke
	dashed bool
	closed bool

	text   string
	x, y   float64 // base line of the text
	anchor string  // start or middle
	size   float64 // of the text
	bold   bool
}

// segment goes to its last point: a move (1 point, op M), a line (1, L) or a cubic Bézier curve (3, C).
type segment struct {
	op     byte
	points [3][2]float64
}

// parsePicture reads the SVG that Graphviz writes: groups of class graph, cluster, node and edge with polygons, paths
// of absolute M and C, and text.
func parsePicture(svg []byte) (*picture, error) {
	p := &picture{}
	reader := pictureReader{picture: p}
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading graphviz's drawing: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if err := reader.start(token); err != nil {
				return nil, fmt.Errorf("reading graphviz's drawing: %w", err)
			}
		case xml.EndElement:
			reader.end(token)
		case xml.CharData:
			if reader.inText {
				last := &p.shapes[len(p.shapes)-1]
				last.text += string(token)
			}
		}
	}
	if !(p.width > 0 && p.height > 0) {
		return nil, errors.New("reading graphviz's drawing: it has no size")
	}
	return p, nil
}

type pictureReader struct {
	picture *picture
	classes []string // of the open groups
	fresh   bool     // the open node has no shape yet
	title   string   // of the open node
	inText  bool
}

func (r *pictureReader) start(element xml.StartElement) error {
	attributes := make(map[string]string, len(element.Attr))
	for _, a := range element.Attr {
		attributes[a.Name.Local] = a.Value
	}
	switch element.Name.Local {
	case "svg":
		size, err := numbers(attributes["viewBox"])
		if err != nil || len(size) != 4 {
			return fmt.Errorf("view box %q", attributes["viewBox"])
		}
		r.picture.width, r.picture.height = size[2], size[3]
	case "g":
		r.classes = append(r.classes, attributes["class"])
		if attributes["class"] == "node" {
			r.fresh, r.title = true, ""
		}
		if _, after, ok := strings.Cut(attributes["transform"], "translate("); ok {
			shift, err := numbers(strings.TrimSuffix(after, ")"))
			if err != nil || len(shift) != 2 {
				return fmt.Errorf("transformation %q", attributes["transform"])
			}
			r.picture.dx, r.picture.dy = shift[0], shift[1]
		}
	case "a":
		r.title = attributes["title"]
	case "polygon", "polyline", "path", "ellipse", "text":
		return r.shape(element.Name.Local, attributes)
	}
	return nil
}

func (r *pictureReader) end(element xml.EndElement) {
	switch element.Name.Local {
	case "g":
		r.classes = r.classes[:max(0, len(r.classes)-1)]
	case "text":
		r.inText = false
	}
}

func (r *pictureReader) shape(kind string, attributes map[string]string) error {
	s := shape{
		fill: attributes["fill"], stroke: attributes["stroke"], dashed: attributes["stroke-dasharray"] != "",
		bold: attributes["font-weight"] == "bold", pen: 1,
	}
	class := ""
	for _, c := range r.classes {
		if c != "" {
			class = c
		}
	}
	invisible := s.stroke == "none" || s.stroke == "transparent"
	if kind != "text" && invisible && (class == "cluster" || len(r.picture.shapes) == 0 && class == "graph") {
		return nil // ranks, and the ground, which is the writer's business
	}
	if class == "cluster" {
		s.fill = "none"
	}
	s.node, s.title = class == "node", r.title
	s.first, r.fresh = s.node && r.fresh, false
	if width := attributes["stroke-width"]; width != "" {
		pen, err := strconv.ParseFloat(width, 64)
		if err != nil {
			return fmt.Errorf("stroke width %q", width)
		}
		s.pen = pen
	}
	var err error
	switch kind {
	case "text":
		s.anchor, r.inText = attributes["text-anchor"], true
		if s.fill == "" {
			s.fill = "black"
		}
		for name, number := range map[string]*float64{"x": &s.x, "y": &s.y, "font-size": &s.size} {
			if *number, err = strconv.ParseFloat(attributes[name], 64); err != nil {
				return fmt.Errorf("%s %q of a text", name, attributes[name])
			}
		}
	case "path":
		s.path, err = curve(attributes["d"])
	case "polygon", "polyline":
		s.closed = kind == "polygon"
		s.path, err = polygon(attributes["points"])
	default:
		err = fmt.Errorf("unexpected element %s", kind)
	}
	r.picture.shapes = append(r.picture.shapes, s)
	return err
}

// polygon reads "x,y x,y …", closed by its last point.
func polygon(points string) ([]segment, error) {
	values, err := numbers(points)
	if err != nil || len(values) < 4 || len(values)%2 != 0 {
		return nil, fmt.Errorf("polygon %q", points)
	}
	if n := len(values); values[0] == values[n-2] && values[1] == values[n-1] {
		values = values[:n-2] // the path is closed, which joins the corner as well
	}
	var path []segment
	for i := 0; i < len(values); i += 2 {
		s := segment{op: 'L'}
		if i == 0 {
			s.op = 'M'
		}
		s.points[0] = [2]float64{values[i], values[i+1]}
		path = append(path, s)
	}
	return path, nil
}

// curve reads "Mx,yCx,y x,y x,y …".
func curve(d string) ([]segment, error) {
	start, rest, ok := strings.Cut(strings.TrimPrefix(d, "M"), "C")
	from, err := numbers(start)
	if !ok || err != nil || len(from) != 2 {
		return nil, fmt.Errorf("path %q", d)
	}
	path := []segment{{op: 'M', points: [3][2]float64{{from[0], from[1]}}}}
	values, err := numbers(rest)
	if err != nil || len(values) == 0 || len(values)%6 != 0 {
		return nil, fmt.Errorf("path %q", d)
	}
	for v := values; len(v) > 0; v = v[6:] {
		path = append(path, segment{op: 'C', points: [3][2]float64{{v[0], v[1]}, {v[2], v[3]}, {v[4], v[5]}}})
	}
	return path, nil
}

// numbers reads numbers between blanks and commas.
func numbers(text string) ([]float64, error) {
	var values []float64
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' }) {
		value, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}
