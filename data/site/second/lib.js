/* A library as sites load it from elsewhere. */
(function (root) {
  root.count = function (list) {
    var seen = {};
    for (var i = 0; i < list.length; i++) {
      seen[list[i]] = (seen[list[i]] || 0) + 1;
    }
    return seen;
  };
})(globalThis);
