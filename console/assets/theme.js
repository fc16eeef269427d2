// Light, dark, or what the system has.

const KEY = "perennial-console-theme";
const THEMES = ["system", "light", "dark"];

/// Returns the choice.
export function currentTheme() {
  const theme = localStorage.getItem(KEY);
  return THEMES.includes(theme) ? theme : "system";
}

/// Chooses the next theme.
export function switchTheme() {
  localStorage.setItem(KEY, THEMES[(THEMES.indexOf(currentTheme()) + 1) % THEMES.length]);
  applyTheme();
  document.dispatchEvent(new CustomEvent("theme"));
}

/// Makes the page have the chosen theme.
export function applyTheme() {
  const theme = currentTheme();
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
