"""Objectives and scores: losses, class weights, metrics."""
