// Package weights says where in a model's files each of its parameters lies, and reads it in the order it is used in: a
// [View] is a tensor or a part of one, transposed or merged, and a [Layout] gives the view of each parameter by name.
package weights
