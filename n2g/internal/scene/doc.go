// Package scene holds what every picture of the program consists of: boxes, texts and lines in the colours of one
// palette. Heat maps, graphs and charts are laid out into a [Scene]; a scene is written as SVG ([Scene.SVG]) or drawn
// as PNG ([PNG]) with one set of fonts. Nothing here knows what is drawn.
//
// Colours are roles of a palette, so that one scene serves the light and the dark theme, or follows the reader's. An
// SVG carries its colours as attributes too: viewers without CSS variables (librsvg, Inkscape) show the light theme.
package scene
