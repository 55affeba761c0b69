"use strict";

function greet(name) {
  return "Hello, " + name;
}

greet("harbour");
