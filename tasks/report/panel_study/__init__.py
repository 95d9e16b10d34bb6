"""Results, sentences, figure and page of a study of normalizations on several panels."""
