(function () {
  "use strict";
  var root = document.documentElement;
  var button = document.getElementById("theme");
  function remembered() {
    try { return localStorage.getItem("scotoma-theme"); } catch (error) { return null; }
  }
  function isDark() {
    if (root.dataset.theme) { return root.dataset.theme === "dark"; }
    return window.matchMedia("(prefers-color-scheme: dark)").matches;
  }
  function label() {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", "Switch to " + (isDark() ? "light" : "dark") + " colours");
  }
  if (remembered() === "dark" || remembered() === "light") { root.dataset.theme = remembered(); }
  button.hidden = false;
  label();
  button.addEventListener("click", function () {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("scotoma-theme", root.dataset.theme); } catch (error) { return label(); }
    label();
  });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (part) { part.open = true; });
  });
}());
